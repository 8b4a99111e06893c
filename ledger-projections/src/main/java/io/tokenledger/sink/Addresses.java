package io.tokenledger.sink;

import java.util.regex.Pattern;

/**
 * Tells addresses from whatever else may stand where one should: a forwarded name, a port behind
 * it, what does not open.
 */
final class Addresses {

  private static final Pattern V4 =
      Pattern.compile("((25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)(\\.(?!$)|$)){4}");
  private static final Pattern GROUP = Pattern.compile("[0-9A-Fa-f]{1,4}");
  private static final int GROUPS = 8;

  private Addresses() {}

  static boolean isAddress(String text) {
    return isV4(text) || isV6(text);
  }

  static boolean isV4(String text) {
    return V4.matcher(text).matches();
  }

  /** Eight groups, or fewer and one gap; not the forms with a zone or a dotted end. */
  static boolean isV6(String text) {
    int gap = text.indexOf("::");
    if (gap < 0) {
      return text.chars().filter(c -> c == ':').count() == GROUPS - 1 && groups(text) == GROUPS;
    }
    int before = gap == 0 ? 0 : groups(text.substring(0, gap));
    String rest = text.substring(gap + 2);
    int after = rest.isEmpty() ? 0 : groups(rest);
    return before >= 0 && after >= 0 && before + after < GROUPS;
  }

  /** How many groups; below zero when something is none. */
  private static int groups(String text) {
    int count = 0;
    for (String group : text.split(":", -1)) {
      if (!GROUP.matcher(group).matches()) {
        return -GROUPS - 1;
      }
      count++;
    }
    return count;
  }
}
