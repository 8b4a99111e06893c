package io.tokenledger.sealing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.Stream;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One AES-256 key for each subject, a file each in a directory that lies apart from the events and
 * their backups. Without its file nothing of a subject can be read, wherever the events were
 * copied. Several nodes share the directory.
 *
 * <p>A key's id starts with the digest of its subject, so that all keys of a subject are found
 * without a list that could disagree with the files; two nodes that make a key for the same subject
 * at once make two, and both stay readable.
 */
public final class SubjectKeys {

  private static final int KEY_BYTES = 32;
  private static final int CACHED_KEYS = 10_000;
  private static final String SUFFIX = ".key";

  /** Of a key that opens what it sealed and seals nothing more. */
  private static final String RETIRED = ".retired";

  /** How long a key is used without a look whether another node has retired or destroyed it. */
  public static final Duration TRUST = Duration.ofSeconds(1);

  private static final Logger LOG = LoggerFactory.getLogger(SubjectKeys.class);

  private final Path directory;
  private final SecureRandom random = new SecureRandom();
  private final Map<String, Known> bySubject = cache();
  private final Map<String, Known> byId = cache();

  /** When which was looked for in vain: an event is written after its key, so none comes later. */
  private final Map<String, Long> missing = cache();

  /**
   * @param id 48 lower-case hexadecimal digits: 32 of the subject's digest, 16 random
   */
  record Key(String id, SecretKeySpec secret) {}

  private record Known(Key key, long seenNanos) {}

  /**
   * The keys in that directory, which is made when it is missing.
   *
   * @throws IllegalStateException when it cannot be made or written
   */
  public SubjectKeys(Path directory) {
    this.directory = directory;
    try {
      if (!Files.isDirectory(directory)) {
        Files.createDirectories(
            directory.toAbsolutePath(),
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
      }
    } catch (IOException e) {
      throw new IllegalStateException("--subject-key-store " + directory + " cannot be made", e);
    }
    if (!Files.isWritable(directory)) {
      throw new IllegalStateException("--subject-key-store " + directory + " cannot be written");
    }
  }

  /** The key under which new fields of this subject are sealed; made when there is none. */
  synchronized Key forSubject(String subject) {
    Key known = known(bySubject, subject, this::isCurrent);
    if (known != null) {
      return known;
    }
    String digest = digest(subject);
    Key key = stored(digest).orElseGet(() -> create(digest));
    remember(bySubject, subject, key);
    remember(byId, key.id(), key);
    return key;
  }

  /** The key of that id, or empty when it was destroyed or never here. */
  synchronized Optional<Key> byId(String id) {
    Key known = known(byId, id, each -> Files.exists(file(each)));
    if (known != null) {
      return Optional.of(known);
    }
    Long missed = missing.get(id);
    boolean isMissing = missed != null && System.nanoTime() - missed < TRUST.toNanos();
    if (isMissing || !id.matches("[0-9a-f]{48}")) {
      return Optional.empty();
    }
    Optional<Key> read = read(id);
    read.ifPresentOrElse(key -> remember(byId, id, key), () -> missing.put(id, System.nanoTime()));
    return read;
  }

  /** From memory, while its file is there; null when it must be looked for. */
  private static @Nullable Key known(
      Map<String, Known> cache, String name, Predicate<String> isThere) {
    Known known = cache.get(name);
    if (known == null) {
      return null;
    }
    if (System.nanoTime() - known.seenNanos() < TRUST.toNanos()) {
      return known.key();
    }
    if (isThere.test(known.key().id())) {
      remember(cache, name, known.key());
      return known.key();
    }
    cache.remove(name);
    return null;
  }

  private static void remember(Map<String, Known> cache, String name, Key key) {
    cache.put(name, new Known(key, System.nanoTime()));
  }

  /** The ids of all keys of that subject, sorted; empty when nothing is sealed for it. */
  public List<String> ids(String subject) {
    return Stream.of(SUFFIX, RETIRED)
        .flatMap(suffix -> ids(digest(subject), suffix).stream())
        .distinct()
        .sorted()
        .toList();
  }

  private List<String> ids(String digest, String suffix) {
    try (Stream<Path> files = Files.list(directory)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith(digest) && name.endsWith(suffix))
          .map(name -> name.substring(0, name.length() - suffix.length()))
          .sorted()
          .toList();
    } catch (IOException e) {
      throw new UncheckedIOException("subject key store cannot be listed", e);
    }
  }

  /**
   * Lets nothing more be sealed under the keys that this subject has, here at once and on nodes
   * that share the directory after {@link #TRUST}. What they have sealed still opens.
   *
   * @throws UncheckedIOException when one cannot be renamed
   */
  public synchronized void retire(String subject) {
    bySubject.remove(subject);
    for (String id : ids(digest(subject), SUFFIX)) {
      try {
        Files.move(
            directory.resolve(id + SUFFIX),
            directory.resolve(id + RETIRED),
            StandardCopyOption.ATOMIC_MOVE);
      } catch (NoSuchFileException e) {
        // Another node was faster.
        LOG.debug("key {} is gone already", id);
      } catch (IOException e) {
        throw new UncheckedIOException("subject key cannot be retired", e);
      }
    }
  }

  /**
   * Destroys a key: nothing that is sealed under it opens any more, here at once and on nodes that
   * share the directory within a second. Does nothing when it is gone already.
   *
   * @return whether it was there
   * @throws UncheckedIOException when it cannot be removed
   */
  public synchronized boolean destroy(String id) {
    bySubject.values().removeIf(known -> known.key().id().equals(id));
    byId.remove(id);
    boolean removed = false;
    // Both may be there: one came back from a backup.
    while (id.matches("[0-9a-f]{48}") && Files.exists(file(id))) {
      removed |= remove(file(id));
    }
    return removed;
  }

  private boolean remove(Path file) {
    try {
      // The bytes first: removing a name leaves them on the disk. Not every disk writes in place.
      try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
        channel.write(ByteBuffer.allocate(Math.toIntExact(channel.size())));
        channel.force(true);
      }
      boolean removed = Files.deleteIfExists(file);
      try (FileChannel names = FileChannel.open(directory, StandardOpenOption.READ)) {
        names.force(true);
      }
      return removed;
    } catch (NoSuchFileException e) {
      return false;
    } catch (IOException e) {
      throw new UncheckedIOException("subject key cannot be destroyed", e);
    }
  }

  private Optional<Key> stored(String digest) {
    return ids(digest, SUFFIX).stream().filter(this::isCurrent).findFirst().flatMap(this::read);
  }

  private Optional<Key> read(String id) {
    Path file = file(id);
    Optional<Key> key = read(id, file);
    // It may have been retired in between.
    return key.isPresent() || file.equals(file(id)) ? key : read(id, file(id));
  }

  private static Optional<Key> read(String id, Path file) {
    try {
      String text = Files.readString(file).strip();
      if (text.chars().allMatch(c -> c == 0)) {
        // One who destroyed it got as far as its bytes.
        return Optional.empty();
      }
      byte[] secret = HexFormat.of().parseHex(text);
      return Optional.of(new Key(id, new SecretKeySpec(secret, "AES")));
    } catch (NoSuchFileException e) {
      return Optional.empty();
    } catch (IOException e) {
      throw new UncheckedIOException("subject key cannot be read", e);
    }
  }

  private Key create(String digest) {
    byte[] tail = new byte[8];
    random.nextBytes(tail);
    byte[] secret = new byte[KEY_BYTES];
    random.nextBytes(secret);
    String id = digest + HexFormat.of().formatHex(tail);
    try {
      // Durable before the first event that only this key opens.
      KeyFiles.create(file(id), HexFormat.of().formatHex(secret) + "\n");
    } catch (IOException e) {
      throw new UncheckedIOException("subject key cannot be written", e);
    }
    return new Key(id, new SecretKeySpec(secret, "AES"));
  }

  /** Where a key is, retired or not. */
  private Path file(String id) {
    Path retired = directory.resolve(id + RETIRED);
    return Files.exists(retired) ? retired : directory.resolve(id + SUFFIX);
  }

  /** Whether it may seal. */
  private boolean isCurrent(String id) {
    return Files.exists(directory.resolve(id + SUFFIX))
        && !Files.exists(directory.resolve(id + RETIRED));
  }

  private static String digest(String subject) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(subject.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(digest, 0, 16);
    } catch (GeneralSecurityException e) {
      throw new AssertionError("every Java platform has SHA-256", e);
    }
  }

  private static <V> Map<String, V> cache() {
    return Collections.synchronizedMap(
        new LinkedHashMap<>(64, 0.75f, true) {
          private static final long serialVersionUID = 1L;

          @Override
          protected boolean removeEldestEntry(Map.Entry<String, V> eldest) {
            return size() > CACHED_KEYS;
          }
        });
  }
}
