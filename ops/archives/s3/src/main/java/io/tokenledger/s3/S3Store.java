package io.tokenledger.s3;

import io.tokenledger.archive.ArchiveStore;
import io.tokenledger.archive.ArchiveStoreFactory;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.ChecksumAlgorithm;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.ObjectLockEnabled;
import software.amazon.awssdk.services.s3.model.ObjectLockMode;
import software.amazon.awssdk.services.s3.model.ObjectLockRetention;
import software.amazon.awssdk.services.s3.model.ObjectLockRetentionMode;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * A store in a bucket of S3 with Object Lock: each file is created on the condition that there is
 * none of its name ({@code If-None-Match: *}), and locked until a day that is set when it is
 * written. Under the mode {@code compliance} nobody removes it before that, the account's owner
 * included.
 *
 * <p>Where it is: {@code s3://BUCKET/PREFIX?days=3650}, and what {@link Factory#SETTINGS} names.
 * Whose credentials: those of the environment, as all of Amazon's tools find them.
 */
public final class S3Store implements ArchiveStore {

  private static final int MAX_DAYS = 36_500;
  private static final int CHUNK = 64 * 1024;
  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);

  /** The lock is counted from before the upload, the object's age from after it. */
  private static final Duration UPLOAD_LIMIT = Duration.ofHours(1);

  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(60);
  private static final int CONDITION_FAILED = 412;
  private static final int NOT_FOUND = 404;

  /** What Amazon and others say of a bucket that was made without locks. */
  private static final Set<String> NO_LOCKS =
      Set.of("ObjectLockConfigurationNotFoundError", "InvalidRequest");

  private final S3Client client;
  private final String bucket;
  private final String prefix;
  private final ObjectLockMode mode;
  private final ObjectLockRetentionMode retentionMode;
  private final Duration kept;
  private volatile boolean locks;

  /** {@code s3}. */
  public static final class Factory implements ArchiveStoreFactory {

    private static final Set<String> SETTINGS =
        Set.of("days", "mode", "region", "endpoint", "path_style");

    @Override
    public String scheme() {
      return "s3";
    }

    @Override
    public ArchiveStore open(URI location) {
      return new S3Store(location, settings(location));
    }

    private static Map<String, String> settings(URI location) {
      Map<String, String> settings = new HashMap<>();
      String query = location.getRawQuery();
      for (String pair : query == null ? new String[0] : query.split("&", -1)) {
        int equals = pair.indexOf('=');
        String name = equals < 0 ? pair : pair.substring(0, equals);
        if (!SETTINGS.contains(name)) {
          throw wrong("knows days, mode, region, endpoint and path_style, not " + name);
        }
        String value = URLDecoder.decode(pair.substring(equals + 1), StandardCharsets.UTF_8);
        if (equals < 0 || settings.put(name, value) != null) {
          throw wrong("must give " + name + " once, with a value");
        }
      }
      return settings;
    }
  }

  private static IllegalArgumentException wrong(String rule) {
    return new IllegalArgumentException("--archive s3://: " + rule);
  }

  private S3Store(URI location, Map<String, String> settings) {
    String host = location.getHost();
    if (host == null || location.getUserInfo() != null || location.getPort() >= 0) {
      throw wrong("must be s3://BUCKET/PREFIX?days=N; credentials are the environment's");
    }
    this.bucket = host;
    String path = location.getPath() == null ? "" : location.getPath().replaceAll("^/+|/+$", "");
    this.prefix = path.isEmpty() ? "" : path + "/";
    this.kept = Duration.ofDays(days(settings.get("days")));
    this.mode =
        switch (settings.getOrDefault("mode", "compliance").toLowerCase(Locale.ROOT)) {
          case "compliance" -> ObjectLockMode.COMPLIANCE;
          case "governance" -> ObjectLockMode.GOVERNANCE;
          default -> throw wrong("mode must be compliance or governance");
        };
    this.retentionMode = ObjectLockRetentionMode.fromValue(mode.toString());
    S3ClientBuilder builder =
        S3Client.builder()
            .httpClientBuilder(
                UrlConnectionHttpClient.builder()
                    .connectionTimeout(CONNECT_LIMIT)
                    .socketTimeout(ANSWER_LIMIT))
            .forcePathStyle(settings.getOrDefault("path_style", "false").equals("true"));
    String region = settings.get("region");
    if (region != null) {
      builder.region(Region.of(region));
    }
    String endpoint = settings.get("endpoint");
    if (endpoint != null) {
      builder.endpointOverride(endpoint(endpoint));
    }
    try {
      this.client = builder.build();
    } catch (SdkException e) {
      throw wrong("region must be given, here or in AWS_REGION");
    }
  }

  private static long days(@Nullable String text) {
    if (text == null || !text.matches("[1-9][0-9]{0,4}") || Integer.parseInt(text) > MAX_DAYS) {
      throw wrong("days must say for how many days nobody may remove a segment, 1 to " + MAX_DAYS);
    }
    return Long.parseLong(text);
  }

  private static URI endpoint(String text) {
    URI endpoint;
    try {
      endpoint = URI.create(text);
    } catch (IllegalArgumentException e) {
      throw wrong("endpoint must be a URL");
    }
    boolean here = Set.of("127.0.0.1", "localhost", "[::1]").contains(endpoint.getHost());
    boolean safe = "https".equals(endpoint.getScheme());
    if (!safe && !(here && "http".equals(endpoint.getScheme()))) {
      throw wrong("endpoint must be https://, or http:// on this machine");
    }
    return endpoint;
  }

  @Override
  public void put(String name, Path file) throws IOException {
    String key = key(name);
    Instant until = Instant.now().plus(kept);
    asked(
        () -> {
          requireLocks();
          return client.putObject(
              request ->
                  request
                      .bucket(bucket)
                      .key(key)
                      .ifNoneMatch("*")
                      .checksumAlgorithm(ChecksumAlgorithm.SHA256)
                      .objectLockMode(mode)
                      .objectLockRetainUntilDate(until),
              RequestBody.fromFile(file));
        },
        name);
    try (ResponseInputStream<GetObjectResponse> kept = opened(name);
        InputStream given = Files.newInputStream(file)) {
      if (!sameBytes(given, kept)) {
        throw new IOException(name + " is not read back as it was written");
      }
    }
    if (!isLocked(name, until)) {
      throw new IOException(name + " was written, and is not locked until " + until);
    }
  }

  /** Whichever mode it was locked in: another one would be for later segments. */
  @Override
  public void requireKept(String name) throws IOException {
    String key = key(name);
    Instant until =
        asked(
                () -> client.headObject(request -> request.bucket(bucket).key(key)).lastModified(),
                name)
            .plus(kept);
    if (Instant.now().isBefore(until) && !isKept(name, until) && !isLocked(name, until)) {
      throw new IOException(name + " is kept, and is not locked until " + until);
    }
  }

  private boolean isKept(String name, Instant until) throws IOException {
    String key = key(name);
    return asked(
        () -> {
          try {
            ObjectLockRetention lock = retention(key);
            return lock != null
                && lock.mode() != null
                && lock.retainUntilDate() != null
                && !lock.retainUntilDate()
                    .isBefore(until.truncatedTo(ChronoUnit.SECONDS).minus(UPLOAD_LIMIT));
          } catch (AwsServiceException e) {
            if (e.statusCode() != NOT_FOUND) {
              throw e;
            }
            return false;
          }
        },
        name);
  }

  /** Not every server takes a lock with the file; then it is asked for by itself. */
  private boolean isLocked(String name, Instant until) throws IOException {
    String key = key(name);
    return asked(
        () -> {
          try {
            if (isEnough(retention(key), until)) {
              return true;
            }
          } catch (AwsServiceException e) {
            if (e.statusCode() != NOT_FOUND) {
              throw e;
            }
          }
          client.putObjectRetention(
              request ->
                  request
                      .bucket(bucket)
                      .key(key)
                      .retention(lock -> lock.mode(retentionMode).retainUntilDate(until)));
          return isEnough(retention(key), until);
        },
        name);
  }

  private ObjectLockRetention retention(String key) {
    return client.getObjectRetention(request -> request.bucket(bucket).key(key)).retention();
  }

  /** Servers keep whole seconds. */
  private boolean isEnough(@Nullable ObjectLockRetention lock, Instant until) {
    return lock != null
        && lock.mode() == retentionMode
        && lock.retainUntilDate() != null
        && !lock.retainUntilDate().isBefore(until.truncatedTo(ChronoUnit.SECONDS));
  }

  private static boolean sameBytes(InputStream one, InputStream other) throws IOException {
    byte[] ours = one.readNBytes(CHUNK);
    byte[] theirs = other.readNBytes(CHUNK);
    while (ours.length > 0 && Arrays.equals(ours, theirs)) {
      ours = one.readNBytes(CHUNK);
      theirs = other.readNBytes(CHUNK);
    }
    return ours.length == 0 && theirs.length == 0;
  }

  /** Asked once: a bucket cannot lose its locks. */
  private void requireLocks() {
    if (locks) {
      return;
    }
    ObjectLockEnabled enabled;
    try {
      enabled =
          client
              .getObjectLockConfiguration(request -> request.bucket(bucket))
              .objectLockConfiguration()
              .objectLockEnabled();
    } catch (AwsServiceException e) {
      if (NO_LOCKS.contains(code(e))) {
        throw new WithoutLocks();
      }
      throw e;
    }
    if (enabled != ObjectLockEnabled.ENABLED) {
      throw new WithoutLocks();
    }
    locks = true;
  }

  private static final class WithoutLocks extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  @Override
  public void get(String name, Path into) throws IOException {
    try (InputStream kept = opened(name)) {
      Files.copy(kept, into, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  private ResponseInputStream<GetObjectResponse> opened(String name) throws IOException {
    String key = key(name);
    return asked(() -> client.getObject(request -> request.bucket(bucket).key(key)), name);
  }

  @Override
  public List<String> list() throws IOException {
    return asked(
        () ->
            client
                .listObjectsV2Paginator(request -> request.bucket(bucket).prefix(prefix))
                .contents()
                .stream()
                .map(S3Object::key)
                .map(key -> key.substring(prefix.length()))
                .filter(name -> name.matches("[A-Za-z0-9][A-Za-z0-9.-]*"))
                .sorted()
                .toList(),
        "");
  }

  private String key(String name) throws NoSuchFileException {
    if (!name.matches("[A-Za-z0-9][A-Za-z0-9.-]*")) {
      throw new NoSuchFileException(name);
    }
    return prefix + name;
  }

  private interface Question<T> {
    T ask();
  }

  /** What the bucket says; its refusals by their names, without addresses or credentials. */
  private <T> T asked(Question<T> question, String name) throws IOException {
    try {
      return question.ask();
    } catch (WithoutLocks e) {
      throw new IOException(
          "bucket " + bucket + " has no Object Lock: make one with it, it cannot be added later",
          e);
    } catch (NoSuchKeyException e) {
      NoSuchFileException none = new NoSuchFileException(name);
      none.initCause(e);
      throw none;
    } catch (AwsServiceException e) {
      if (e.statusCode() == CONDITION_FAILED) {
        FileAlreadyExistsException exists = new FileAlreadyExistsException(name);
        exists.initCause(e);
        throw exists;
      }
      throw new IOException("bucket " + bucket + ": " + code(e) + " (" + e.statusCode() + ")", e);
    } catch (SdkException e) {
      throw new IOException("bucket " + bucket + " cannot be reached: " + e.getMessage(), e);
    }
  }

  private static String code(AwsServiceException e) {
    String code = e.awsErrorDetails() == null ? null : e.awsErrorDetails().errorCode();
    return code == null || code.isEmpty() ? "refused" : code;
  }

  @Override
  public String toString() {
    return "s3://" + bucket + "/" + prefix;
  }
}
