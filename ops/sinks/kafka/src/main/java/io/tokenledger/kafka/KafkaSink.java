package io.tokenledger.kafka;

import io.tokenledger.sink.EntriesRefused;
import io.tokenledger.sink.EventFormat;
import io.tokenledger.sink.Message;
import io.tokenledger.sink.Sink;
import io.tokenledger.sink.SinkFactory;
import io.tokenledger.sink.SinkTarget;
import java.io.IOException;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Pattern;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.config.ConfigException;
import org.apache.kafka.common.config.SslConfigs;
import org.apache.kafka.common.errors.InterruptException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;

/**
 * A topic of Kafka. Each entry is a record whose key is the leaf's index, in partition 0 whatever
 * the topic has: the log is one order, and only within a partition Kafka keeps one. Confirmed when
 * all replicas that are in sync have it.
 */
public final class KafkaSink implements Sink {

  /** A record's key says nothing to Kafka's own choice of a partition: it is given. */
  private static final int PARTITION = 0;

  private static final int BATCH_BYTES = 512 * 1_024;
  private static final String LINGER_MILLIS = "5";
  private static final String LIMIT_MILLIS = "10000";
  private static final String DELIVERY_LIMIT_MILLIS = "30000";
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(2);

  /** {@code kafka}. */
  public static final class Factory implements SinkFactory {
    @Override
    public String type() {
      return "kafka";
    }

    @Override
    public Set<String> settings() {
      return Set.of("servers", "topic", "properties_file");
    }

    @Override
    public Sink open(SinkTarget target) {
      return new KafkaSink(target);
    }
  }

  private final Properties properties;
  private final String topic;
  private final byte[] contentType;
  private static final Pattern LOOPBACK =
      Pattern.compile("\\s*(localhost|127\\.\\d+\\.\\d+\\.\\d+|\\[::1])(:\\d+)?\\s*");

  private volatile @Nullable KafkaProducer<String, byte[]> producer;
  private volatile boolean closed;
  private long confirmed;

  KafkaSink(SinkTarget target) {
    String servers = target.settings().get("servers");
    String wanted = target.settings().get("topic");
    if (servers == null || wanted == null) {
      throw new IllegalArgumentException(target.name() + ": a kafka needs servers and topic");
    }
    if (target.url() != null) {
      throw new IllegalArgumentException(target.name() + ": a kafka has servers, no url");
    }
    if (!wanted.matches("[a-zA-Z0-9._-]{1,249}")) {
      throw new IllegalArgumentException(target.name() + ": topic cannot be named " + wanted);
    }
    this.topic = wanted;
    EventFormat format = target.format();
    this.contentType = format.contentType().getBytes(StandardCharsets.US_ASCII);
    this.properties = properties(target, servers);
  }

  private static Properties properties(SinkTarget target, String servers) {
    Properties properties = new Properties();
    properties.put(ProducerConfig.CLIENT_ID_CONFIG, "token-ledger-" + target.name());
    properties.put(ProducerConfig.BATCH_SIZE_CONFIG, Integer.toString(BATCH_BYTES));
    properties.put(ProducerConfig.LINGER_MS_CONFIG, LINGER_MILLIS);
    properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, LIMIT_MILLIS);
    properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, LIMIT_MILLIS);
    properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, DELIVERY_LIMIT_MILLIS);
    Path file = target.file("properties_file");
    if (file != null) {
      try (Reader in = Files.newBufferedReader(file)) {
        properties.load(in);
      } catch (IOException | IllegalArgumentException e) {
        throw new IllegalArgumentException(
            target.name() + ": properties_file " + file + " cannot be read", e);
      }
    }
    // What the promises rest on is not for a file to change.
    properties.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, servers);
    properties.put(ProducerConfig.ACKS_CONFIG, "all");
    properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, "true");
    properties.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, "1");
    requireProtected(target, servers, properties);
    return properties;
  }

  /** What is sent names people: in clear it does not leave this machine. */
  private static void requireProtected(SinkTarget target, String servers, Properties properties) {
    String protocol =
        properties.getProperty(CommonClientConfigs.SECURITY_PROTOCOL_CONFIG, "PLAINTEXT").strip();
    String names =
        properties.getProperty(SslConfigs.SSL_ENDPOINT_IDENTIFICATION_ALGORITHM_CONFIG, "https");
    boolean here =
        Arrays.stream(servers.split(",")).allMatch(server -> LOOPBACK.matcher(server).matches());
    if (!here && (!protocol.endsWith("SSL") || names.isBlank())) {
      throw new IllegalArgumentException(
          target.name()
              + ": servers on other machines need security.protocol SSL or SASL_SSL in"
              + " properties_file, and host names that are checked");
    }
  }

  private KafkaProducer<String, byte[]> open() throws IOException {
    KafkaProducer<String, byte[]> known = producer;
    if (known != null) {
      return known;
    }
    if (closed) {
      throw new IOException("closed");
    }
    try {
      KafkaProducer<String, byte[]> made =
          new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
      producer = made;
      return made;
    } catch (KafkaException e) {
      // Its message may repeat a setting, and one of them may be a password.
      Throwable cause = e.getCause() == null ? e : e.getCause();
      throw new IOException(
          cause instanceof ConfigException
              ? "the servers or a property cannot be used: " + cause.getClass().getSimpleName()
              : "no producer: " + cause.getClass().getSimpleName(),
          e);
    }
  }

  @Override
  public void send(List<Message> messages)
      throws IOException, InterruptedException, EntriesRefused {
    KafkaProducer<String, byte[]> open = open();
    AtomicReference<@Nullable Exception> failure = new AtomicReference<>();
    List<Future<RecordMetadata>> sent = new ArrayList<>(messages.size());
    try {
      for (Message message : messages) {
        if (failure.get() != null) {
          break;
        }
        sent.add(
            open.send(
                record(message),
                (metadata, exception) -> {
                  if (exception != null && failure.compareAndSet(null, exception)) {
                    // What waits behind it must not overtake it.
                    open.close(Duration.ZERO);
                  }
                }));
      }
      open.flush();
    } catch (InterruptException e) {
      Thread.currentThread().interrupt();
      throw new InterruptedException("shutting down");
    } catch (KafkaException | IllegalStateException e) {
      failure.compareAndSet(null, e);
    }
    if (!sent.stream().allMatch(Future::isDone)) {
      failure.compareAndSet(null, new IllegalStateException("flushed, and not all was sent"));
    }
    Exception failed = failure.get();
    if (failed != null) {
      reset();
      if (failed instanceof RecordTooLargeException) {
        throw new EntriesRefused("larger than the topic takes");
      }
      throw new IOException("the broker does not take it: " + failed.getClass().getSimpleName());
    }
    confirmed = Math.max(confirmed, messages.get(messages.size() - 1).leafIndex() + 1);
  }

  private ProducerRecord<String, byte[]> record(Message message) {
    ProducerRecord<String, byte[]> made =
        new ProducerRecord<>(topic, PARTITION, Long.toString(message.leafIndex()), message.body());
    made.headers().add("content-type", contentType);
    made.headers().add("tlogorigin", message.logOrigin().getBytes(StandardCharsets.UTF_8));
    return made;
  }

  @Override
  public long confirmed() {
    return confirmed;
  }

  @Override
  public void reset() {
    KafkaProducer<String, byte[]> open = producer;
    producer = null;
    if (open != null) {
      open.close(Duration.ZERO);
    }
  }

  @Override
  public void close() {
    closed = true;
    KafkaProducer<String, byte[]> open = producer;
    if (open != null) {
      open.close(CLOSE_LIMIT);
    }
  }
}
