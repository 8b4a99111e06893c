package io.tokenledger.tlog;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Proofs that others made, good and bad: see {@code src/test/resources/merkle/README.md}. */
class MerkleVectorsTest {

  private static final Path VECTORS = Path.of("src/test/resources/merkle");

  static List<Path> inclusion() throws IOException {
    return files("inclusion");
  }

  static List<Path> consistency() throws IOException {
    return files("consistency");
  }

  private static List<Path> files(String kind) throws IOException {
    try (Stream<Path> files = Files.walk(VECTORS.resolve(kind))) {
      return files.filter(file -> file.toString().endsWith(".json")).sorted().toList();
    }
  }

  @Test
  void areAllThere() throws IOException {
    assertEquals(98, inclusion().size());
    assertEquals(98, consistency().size());
  }

  @ParameterizedTest
  @MethodSource
  void inclusion(Path file) throws IOException {
    Vector vector = new Vector(Files.readString(file));
    boolean accepted = false;
    try {
      accepted =
          Proofs.isIncluded(
              vector.hash("leafHash"),
              vector.number("leafIdx"),
              vector.number("treeSize"),
              vector.hash("root"),
              vector.hashes());
    } catch (InvalidTlogFormat e) {
      // What is no hash is a refusal too.
    }
    assertEquals(vector.isWrong(), !accepted, vector.text());
  }

  @ParameterizedTest
  @MethodSource
  void consistency(Path file) throws IOException {
    Vector vector = new Vector(Files.readString(file));
    boolean accepted = false;
    try {
      accepted =
          Proofs.isConsistent(
              vector.number("size1"),
              vector.hash("root1"),
              vector.number("size2"),
              vector.hash("root2"),
              vector.hashes());
    } catch (InvalidTlogFormat e) {
      // What is no hash is a refusal too.
    }
    assertEquals(vector.isWrong(), !accepted, vector.text());
  }

  @Test
  void rootsOfTheRfcsLeaves() {
    List<String> leaves =
        List.of(
            "",
            "00",
            "10",
            "2021",
            "3031",
            "40414243",
            "5051525354555657",
            "606162636465666768696a6b6c6d6e6f");
    List<String> roots =
        List.of(
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328");
    Frontier tree = new Frontier();
    for (int size = 0; size <= leaves.size(); size++) {
      assertEquals(roots.get(size), tree.root().hex(), "size " + size);
      if (size < leaves.size()) {
        tree.add(
            TreeHash.leaf(HexFormat.of().parseHex(leaves.get(size))), (level, index, hash) -> {});
      }
    }
  }

  /** The few fields of these files; the domain has no JSON library to read them with. */
  private record Vector(String text) {

    private String field(String name, String value) {
      Matcher found =
          Pattern.compile("\"" + name + "\":\\s*" + value, Pattern.DOTALL).matcher(text);
      if (!found.find()) {
        throw new IllegalArgumentException("no " + name + " in " + text);
      }
      return found.group(1);
    }

    private long number(String name) {
      // One case counts beyond 2^63, which no tree of ours reaches: negative, and refused as such.
      return Long.parseUnsignedLong(field(name, "([0-9]+)"));
    }

    private TreeHash hash(String name) {
      byte[] bytes = Base64.getDecoder().decode(field(name, "\"([^\"]*)\""));
      // Some cases have a text in place of a root: only whether two are equal counts there.
      return bytes.length == 12 ? TreeHash.leaf(bytes) : TreeHash.of(bytes);
    }

    private List<TreeHash> hashes() {
      List<TreeHash> hashes = new ArrayList<>();
      String list = field("proof", "(null|\\[[^\\]]*\\])");
      Matcher each = Pattern.compile("\"([^\"]*)\"").matcher(list);
      while (each.find()) {
        hashes.add(TreeHash.of(Base64.getDecoder().decode(each.group(1))));
      }
      return hashes;
    }

    private boolean isWrong() {
      return field("wantErr", "(true|false)").equals("true");
    }
  }
}
