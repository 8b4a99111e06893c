package io.tokenledger.archive;

import io.tokenledger.verify.BundleHead;
import java.util.Locale;

/**
 * A segment that lies in a store.
 *
 * @param name in the store; it tells the first leaf, so that no two begin alike
 */
public record Segment(String name, BundleHead head) {

  /** Of the first one, for what goes before it. */
  static final String NOTHING = "none";

  static String name(long from) {
    return String.format(Locale.ROOT, "segment-%015d.zip", from);
  }

  static boolean isName(String name) {
    return name.matches("segment-[0-9]{15}\\.zip");
  }

  /** What the segment after it says in its manifest. */
  String reference() {
    return head.from() + " " + head.sha256();
  }
}
