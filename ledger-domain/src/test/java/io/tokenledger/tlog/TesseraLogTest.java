package io.tokenledger.tlog;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The log that Tessera's makers test with: their notes, roots, tile and bundle are ours too. */
class TesseraLogTest {

  private static final Path LOG = Path.of("src/test/resources/tessera");
  private static final int SIZE = 15;

  private static final Policy MAKERS =
      Policy.of(
          List.of(
              VerifierKey.parse(
                  "example.com/log/testdata+33d7b496"
                      + "+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")));

  @Test
  void everyCheckpointOpensAndHasTheRootOfTheEntriesBelowIt() throws IOException {
    ByteBuffer entries = ByteBuffer.wrap(Files.readAllBytes(LOG.resolve("entries")));
    ByteArrayOutputStream tile = new ByteArrayOutputStream();
    Frontier tree = new Frontier();
    for (int size = 0; size <= SIZE; size++) {
      if (size > 0) {
        byte[] entry = new byte[Short.toUnsignedInt(entries.getShort())];
        entries.get(entry);
        tile.writeBytes(TreeHash.leaf(entry).bytes());
        tree.add(TreeHash.leaf(entry), (level, index, hash) -> {});
      }
      SignedNote note = SignedNote.parse(Files.readString(LOG.resolve("checkpoint." + size)));
      assertEquals(
          new Checkpoint("example.com/log/testdata", size, tree.root()), MAKERS.open(note));
    }
    assertEquals(0, entries.remaining());
    assertArrayEquals(Files.readAllBytes(LOG.resolve("hashes")), tile.toByteArray());
  }
}
