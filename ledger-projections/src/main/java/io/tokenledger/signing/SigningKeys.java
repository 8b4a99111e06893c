package io.tokenledger.signing;

import io.tokenledger.sealing.KeyFiles;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.tlog.VerifierKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.interfaces.EdECPrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.X509EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.bouncycastle.asn1.edec.EdECObjectIdentifiers;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.crypto.params.Ed25519PrivateKeyParameters;

/**
 * The Ed25519 keys that sign checkpoints, the same on every node and not in the database: PKCS#8 in
 * PEM, as {@code openssl genpkey -algorithm ed25519} makes them. During a rotation there are two,
 * and both sign.
 */
public final class SigningKeys {

  private static final String BEGIN = "-----BEGIN PRIVATE KEY-----";
  private static final String END = "-----END PRIVATE KEY-----";

  private final List<Pair> pairs;
  private final boolean isNew;

  private record Pair(PrivateKey secret, PublicKey open) {}

  private SigningKeys(List<Pair> pairs, boolean isNew) {
    this.pairs = List.copyOf(pairs);
    this.isNew = isNew;
  }

  /**
   * The keys in these files. One that is missing is made, when it is the only one: in a rotation a
   * missing file is a mistake.
   *
   * @throws IllegalStateException when a file holds no such key or cannot be read or made
   */
  public static SigningKeys loadOrCreate(List<Path> files) {
    return loadOrCreate(files, "--signing-key-file");
  }

  /**
   * The same for files that another flag names.
   *
   * @param flag for messages
   */
  public static SigningKeys loadOrCreate(List<Path> files, String flag) {
    List<Pair> pairs = new ArrayList<>();
    boolean isNew = false;
    for (Path file : files) {
      try {
        if (files.size() == 1 && !Files.exists(file)) {
          isNew = create(file);
        }
        pairs.add(parse(Files.readString(file, StandardCharsets.US_ASCII)));
      } catch (IOException e) {
        throw new IllegalStateException(flag + " " + file + " cannot be read or made", e);
      } catch (GeneralSecurityException | IllegalArgumentException e) {
        throw new IllegalStateException(
            flag
                + " "
                + file
                + " holds no Ed25519 key in PKCS#8 PEM, as openssl genpkey -algorithm ed25519 makes",
            e);
      }
    }
    return new SigningKeys(pairs, isNew);
  }

  /** Whether the key was made just now: nothing can have been signed with it. */
  public boolean isNew() {
    return isNew;
  }

  private static boolean create(Path file) throws IOException {
    Path absolute = file.toAbsolutePath();
    Path directory = absolute.getParent();
    if (directory != null) {
      Files.createDirectories(directory);
    }
    try {
      byte[] encoded =
          KeyPairGenerator.getInstance("Ed25519").generateKeyPair().getPrivate().getEncoded();
      // When another node was faster, its key is read next.
      return KeyFiles.create(
          absolute, BEGIN + "\n" + Base64.getEncoder().encodeToString(encoded) + "\n" + END + "\n");
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform from 15 on has Ed25519", e);
    }
  }

  private static Pair parse(String pem) throws GeneralSecurityException {
    int from = pem.indexOf(BEGIN);
    int to = pem.indexOf(END);
    if (from < 0 || to < from) {
      throw new IllegalArgumentException("no " + BEGIN);
    }
    byte[] encoded =
        Base64.getMimeDecoder().decode(pem.substring(from + BEGIN.length(), to).strip());
    KeyFactory factory = KeyFactory.getInstance("Ed25519");
    PrivateKey secret = factory.generatePrivate(new PKCS8EncodedKeySpec(encoded));
    return new Pair(secret, openKey(factory, (EdECPrivateKey) secret));
  }

  /** The JDK makes no public key of a private one. */
  private static PublicKey openKey(KeyFactory factory, EdECPrivateKey secret)
      throws GeneralSecurityException {
    byte[] raw =
        new Ed25519PrivateKeyParameters(secret.getBytes().orElseThrow())
            .generatePublicKey()
            .getEncoded();
    try {
      return factory.generatePublic(
          new X509EncodedKeySpec(
              new SubjectPublicKeyInfo(
                      new AlgorithmIdentifier(EdECObjectIdentifiers.id_Ed25519), raw)
                  .getEncoded()));
    } catch (IOException e) {
      throw new AssertionError("bytes in memory can be encoded", e);
    }
  }

  /** The keys under the name of that log, in the order of the files. */
  public List<VerifierKey> verifierKeys(String origin) {
    return pairs.stream()
        .map(pair -> VerifierKey.of(origin, VerifierKey.Kind.LOG, pair.open()))
        .toList();
  }

  /** The keys as those of a witness of that name. */
  public List<VerifierKey> witnessKeys(String name) {
    return pairs.stream()
        .map(pair -> VerifierKey.of(name, VerifierKey.Kind.COSIGNATURE, pair.open()))
        .toList();
  }

  /** The text with a signature of each key under it, in the name of that log. */
  public SignedNote sign(String text, String origin) {
    SignedNote note = new SignedNote(text, List.of());
    for (Pair pair : pairs) {
      note =
          note.signedBy(VerifierKey.of(origin, VerifierKey.Kind.LOG, pair.open()), pair.secret());
    }
    return note;
  }

  /**
   * A witness's line of the first key under that note.
   *
   * @param epochSeconds when it was seen
   */
  public SignedNote.Line cosign(SignedNote note, String name, long epochSeconds) {
    Pair pair = pairs.get(0);
    return note.cosign(
        VerifierKey.of(name, VerifierKey.Kind.COSIGNATURE, pair.open()),
        pair.secret(),
        epochSeconds);
  }
}
