package io.tokenledger.sink;

import io.tokenledger.outside.Outside;
import io.tokenledger.outside.TlsFiles;
import io.tokenledger.outside.WebhookSignature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Posts entries, some at a time, and takes 2xx for the receiver's word that it has them. Signed as
 * the Standard Webhooks specification 1.0.0 says; {@code webhook-id} is the log and the first and
 * last leaf, so that the same id always comes with the same entries.
 */
final class WebhookSink implements Sink {

  private static final int DEFAULT_BATCH = 500;

  /**
   * These speak of what was sent; every other refusal is about who sent it, where to, or when, and
   * may be over tomorrow: 401, 403, 404 and 410 keep all entries waiting.
   */
  private static final Set<Integer> REFUSE_THE_ENTRIES = Set.of(400, 409, 413, 415, 422);

  /** {@code webhook}. */
  public static final class Factory implements SinkFactory {
    @Override
    public String type() {
      return "webhook";
    }

    @Override
    public Set<String> settings() {
      return Set.of(
          "secret_file", "authorization_file", "ca_file", "certificate_file", "key_file", "batch");
    }

    @Override
    public Sink open(SinkTarget target) {
      return new WebhookSink(target);
    }
  }

  private final URI url;
  private final EventFormat format;
  private final byte[] secret;
  private final @Nullable String authorization;
  private final int batch;
  private final Outside outside;
  private long confirmed;

  WebhookSink(SinkTarget target) {
    this.url = target.requireUrl("https", "http");
    if ("http".equalsIgnoreCase(url.getScheme())) {
      Loopback.require(target, url);
    }
    this.format = target.format();
    this.batch = target.number("batch", DEFAULT_BATCH, 1, SinkPages.MAX_PAGE);
    String text = target.secret("secret_file");
    if (text == null) {
      throw new IllegalArgumentException(target.name() + " has no secret_file");
    }
    try {
      this.secret = WebhookSignature.secret(text);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(target.name() + ": secret_file " + e.getMessage(), e);
    }
    this.authorization = target.secret("authorization_file");
    if (authorization != null && !authorization.matches("[\\x20-\\x7e]+")) {
      throw new IllegalArgumentException(
          target.name() + ": authorization_file must hold one line of ASCII");
    }
    this.outside =
        new Outside(
            TlsFiles.client(
                target.file("ca_file"), target.file("certificate_file"), target.file("key_file")));
  }

  @Override
  public int batchSize() {
    return batch;
  }

  @Override
  public void send(List<Message> messages)
      throws IOException, InterruptedException, EntriesRefused {
    Message first = messages.get(0);
    Message last = messages.get(messages.size() - 1);
    byte[] body = batch == 1 ? first.body() : body(messages);
    String id = first.logOrigin() + ":" + first.leafIndex() + "-" + last.leafIndex();
    String seconds = Long.toString(Instant.now().getEpochSecond());
    Map<String, String> headers = new LinkedHashMap<>();
    headers.put("Content-Type", batch == 1 ? format.contentType() : format.batchContentType());
    headers.put("webhook-id", id);
    headers.put("webhook-timestamp", seconds);
    headers.put("webhook-signature", WebhookSignature.of(secret, id, seconds, body));
    if (authorization != null) {
      headers.put("Authorization", authorization);
    }
    int status = outside.give(url, headers, body);
    // Not what it said: it may repeat what it was sent, and that is nothing to store in clear.
    if (REFUSE_THE_ENTRIES.contains(status)) {
      throw new EntriesRefused("the receiver answered " + status);
    }
    if (status / 100 != 2) {
      throw new IOException("the receiver answered " + status);
    }
    confirmed = Math.max(confirmed, last.leafIndex() + 1);
  }

  private byte[] body(List<Message> messages) {
    boolean json = format != EventFormat.CEF;
    ByteArrayOutputStream out =
        new ByteArrayOutputStream(
            messages.stream().mapToInt(each -> each.body().length + 1).sum() + 2);
    int separator = '[';
    for (Message message : messages) {
      if (json) {
        out.write(separator);
        separator = ',';
      }
      out.writeBytes(message.body());
      if (!json) {
        out.write('\n');
      }
    }
    if (json) {
      out.write(']');
    }
    return out.toByteArray();
  }

  @Override
  public long confirmed() {
    return confirmed;
  }

  @Override
  public void reset() {
    // Each post stands for itself.
  }

  @Override
  public void close() {
    // The client ends with its last post, which has a limit.
  }
}
