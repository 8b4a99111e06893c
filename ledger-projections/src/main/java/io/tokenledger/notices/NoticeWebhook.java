package io.tokenledger.notices;

import io.tokenledger.audit.EventType;
import io.tokenledger.follow.Leaf;
import io.tokenledger.follow.Projection;
import io.tokenledger.outside.WebhookSignature;
import io.tokenledger.store.Locks;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * Posts every notice of an expiry, and every expiry, to a URL, in their order and at least once:
 * until the receiver answers 2xx the position stays, and the next try sends the same again. A
 * receiver tells repetitions by {@code webhook-id}. Signed as the Standard Webhooks specification
 * 1.0.0 says (standardwebhooks.com).
 */
public final class NoticeWebhook implements Projection {

  private static final Set<String> NOTICES =
      Set.of(EventType.TOKEN_EXPIRY_ANNOUNCED.storedName(), EventType.TOKEN_EXPIRED.storedName());

  private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
  private static final Duration ANSWER_LIMIT = Duration.ofSeconds(10);
  private static final JsonMapper JSON = JsonMapper.shared();

  private final NoticeTarget target;
  private final HttpClient http;

  public NoticeWebhook(NoticeTarget target) {
    this.target = target;
    this.http =
        HttpClient.newBuilder()
            .connectTimeout(CONNECT_LIMIT)
            .followRedirects(HttpClient.Redirect.NEVER)
            .build();
  }

  @Override
  public String name() {
    return "notice_webhook";
  }

  @Override
  public long lock() {
    return Locks.NOTICE_FOLLOWER;
  }

  /** Whoever sets up a receiver today does not want the notices of years. */
  @Override
  public boolean startsAtHead() {
    return true;
  }

  @Override
  public void take(Connection connection, List<Leaf> leaves) {
    for (Leaf leaf : leaves) {
      if (NOTICES.contains(leaf.eventType())) {
        post(leaf);
      }
    }
  }

  private void post(Leaf leaf) {
    ObjectNode json = JSON.createObjectNode();
    json.put("type", leaf.header().action());
    json.put("timestamp", leaf.occurredAt());
    json.put("leaf_index", leaf.leafIndex());
    json.put("event_id", leaf.eventId());
    json.put("event_type", leaf.eventType());
    json.set("data", JSON.readTree(leaf.payload()));
    String body = json.toString();
    String seconds = Long.toString(Instant.now().getEpochSecond());
    HttpRequest request =
        HttpRequest.newBuilder(target.url())
            .timeout(ANSWER_LIMIT)
            .header("Content-Type", "application/json")
            .header("webhook-id", leaf.eventId())
            .header("webhook-timestamp", seconds)
            .header(
                "webhook-signature",
                WebhookSignature.of(
                    target.secret(),
                    leaf.eventId(),
                    seconds,
                    body.getBytes(StandardCharsets.UTF_8)))
            .POST(BodyPublishers.ofString(body))
            .build();
    try {
      HttpResponse<Void> answer = http.send(request, BodyHandlers.discarding());
      if (answer.statusCode() / 100 != 2) {
        throw new IllegalStateException("the receiver answered " + answer.statusCode());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("shutting down", e);
    }
  }
}
