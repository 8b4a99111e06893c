package io.tokenledger.outside;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/**
 * Posts to programs of others, who may be slow, silent or talkative: the whole exchange has a limit
 * in time, which the client's own timeout of the headers is not, and the answer one in length.
 */
public final class Outside {

  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int MAX_ANSWER_BYTES = 64 * 1024;

  private final HttpClient http;

  /** Believes the certificates that the Java platform believes. */
  public Outside() {
    this(null);
  }

  /**
   * @param tls whom to believe and who to be; null for what the Java platform does
   */
  public Outside(@Nullable SSLContext tls) {
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .connectTimeout(CONNECT_LIMIT)
            .followRedirects(HttpClient.Redirect.NEVER);
    if (tls != null) {
      builder.sslContext(tls);
    }
    this.http = builder.build();
  }

  /**
   * An answer.
   *
   * @param status HTTP status code
   */
  public record Answer(int status, byte[] body) {}

  /**
   * @throws IOException when there is no whole answer in time, or one that is too long
   */
  public Answer post(URI url, String contentType, byte[] body)
      throws IOException, InterruptedException {
    return post(url, Map.of("Content-Type", contentType), body);
  }

  /**
   * The same with more headers.
   *
   * @throws IOException when there is no whole answer in time, or one that is too long
   */
  public Answer post(URI url, Map<String, String> headers, byte[] body)
      throws IOException, InterruptedException {
    ByteArrayOutputStream taken = new ByteArrayOutputStream();
    int status =
        sent(
            url,
            headers,
            body,
            BodyHandlers.ofByteArrayConsumer(
                part ->
                    part.ifPresent(
                        bytes -> {
                          if (taken.size() <= MAX_ANSWER_BYTES) {
                            taken.writeBytes(bytes);
                          }
                        })));
    if (taken.size() > MAX_ANSWER_BYTES) {
      throw new IOException("the answer of " + whom(url) + " is longer than 64 KiB");
    }
    return new Answer(status, taken.toByteArray());
  }

  /**
   * Posts to one of whom only the status counts, however much it has to say.
   *
   * @return HTTP status code
   * @throws IOException when there is no whole answer in time
   */
  public int give(URI url, Map<String, String> headers, byte[] body)
      throws IOException, InterruptedException {
    return sent(url, headers, body, BodyHandlers.discarding());
  }

  private int sent(
      URI url, Map<String, String> headers, byte[] body, HttpResponse.BodyHandler<Void> answer)
      throws IOException, InterruptedException {
    HttpRequest.Builder builder =
        HttpRequest.newBuilder(url).timeout(LIMIT).POST(BodyPublishers.ofByteArray(body));
    headers.forEach(builder::header);
    CompletableFuture<HttpResponse<Void>> coming = http.sendAsync(builder.build(), answer);
    try {
      return coming.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS).statusCode();
    } catch (TimeoutException e) {
      throw new IOException(whom(url) + " did not answer within " + LIMIT.toSeconds() + " s", e);
    } catch (ExecutionException e) {
      throw new IOException(whom(url) + " cannot be reached: " + e.getCause(), e);
    } finally {
      coming.cancel(true);
    }
  }

  /** Without path and query: what some write there is a secret, and messages go to logs. */
  private static String whom(URI url) {
    return url.getScheme() + "://" + url.getHost() + (url.getPort() < 0 ? "" : ":" + url.getPort());
  }
}
