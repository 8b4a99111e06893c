package io.tokenledger.verify;

import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.TreeHash;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * What a bundle says of itself, unverified: {@link BundleVerification} tells whether it is true.
 *
 * @param origin name of the log
 * @param from first leaf
 * @param to first leaf that is not in it
 * @param size of the checkpoint that it is joined to
 * @param left root over the leaves before it
 * @param previous what goes before it in an archive; null when it is in none
 * @param sha256 of the manifest's text, lower-case hexadecimal
 */
public record BundleHead(
    String origin,
    long from,
    long to,
    long size,
    TreeHash left,
    @Nullable String previous,
    String sha256) {

  /** Files of a bundle that are read whole are far smaller. */
  private static final int MAX_BYTES = 1_048_576;

  /**
   * Reads its first lines.
   *
   * @throws IOException when it cannot be read
   * @throws InvalidTlogFormat when it is not a bundle
   */
  public static BundleHead read(Path file) throws IOException {
    try (ZipFile zip = new ZipFile(file.toFile(), StandardCharsets.UTF_8)) {
      String manifest = SignedNote.parse(text(zip, BundleWriter.MANIFEST_FILE)).text();
      String[] lines = manifest.split("\n", -1);
      String[] range = lines.length < 4 ? new String[0] : lines[2].split(" ", -1);
      if (range.length != 3 || !lines[0].equals(BundleWriter.MANIFEST)) {
        throw new InvalidTlogFormat("the manifest does not begin with " + BundleWriter.MANIFEST);
      }
      long from = Long.parseLong(range[0]);
      return new BundleHead(
          lines[1],
          from,
          Long.parseLong(range[1]),
          Long.parseLong(range[2]),
          BundleVerification.edge(zip, from).root(),
          zip.getEntry(BundleWriter.PREVIOUS) == null
              ? null
              : text(zip, BundleWriter.PREVIOUS).strip(),
          HexFormat.of()
              .formatHex(BundleWriter.sha256().digest(manifest.getBytes(StandardCharsets.UTF_8))));
    } catch (NumberFormatException e) {
      throw new InvalidTlogFormat("the manifest's third line is FROM TO SIZE");
    }
  }

  private static String text(ZipFile zip, String name) throws IOException {
    ZipEntry entry = zip.getEntry(name);
    if (entry == null) {
      throw new FileNotFoundException(name + " is not in the bundle");
    }
    try (InputStream in = zip.getInputStream(entry)) {
      return new String(in.readNBytes(MAX_BYTES), StandardCharsets.UTF_8);
    }
  }
}
