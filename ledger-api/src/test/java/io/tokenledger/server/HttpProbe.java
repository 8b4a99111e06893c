package io.tokenledger.server;

import java.io.IOException;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Asks a server as a client would. */
final class HttpProbe {

  private static final HttpClient CLIENT =
      HttpClient.newBuilder()
          .version(HttpClient.Version.HTTP_1_1)
          .connectTimeout(Duration.ofSeconds(5))
          .build();

  private final String url;

  HttpProbe(String url) {
    this.url = url;
  }

  HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(40));
  }

  HttpResponse<String> send(HttpRequest.Builder request) {
    try {
      return CLIENT.send(request.build(), BodyHandlers.ofString());
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Sends what no client library would, byte for byte, and gives the whole answer.
   *
   * @param head request line and headers, a character a byte; the end is added
   */
  String raw(String head) {
    return raw(head, "127.0.0.1", "");
  }

  /** The same with a header {@code Host} and a body. */
  String raw(String head, String host, String body) {
    URI server = URI.create(url);
    try (Socket socket = new Socket(server.getHost(), server.getPort())) {
      socket.setSoTimeout(20_000);
      String request = head + "\r\nHost: " + host + "\r\nConnection: close\r\n\r\n" + body;
      socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
      return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  HttpResponse<String> get(String path, String token) {
    return send(request(path).header("Authorization", "Bearer " + token));
  }

  HttpResponse<String> post(String path, String token, String body) {
    return send(
        request(path)
            .header("Authorization", "Bearer " + token)
            .header("Content-Type", "application/json")
            .POST(BodyPublishers.ofString(body)));
  }

  HttpResponse<String> delete(String name, String token) {
    return send(
        request("/api/v3/configure/token?token_name=" + name)
            .header("Authorization", "Bearer " + token)
            .DELETE());
  }

  HttpResponse<String> bootstrap() {
    return send(request("/api/v3/configure/token/admin").POST(BodyPublishers.noBody()));
  }

  /** Creates a resource token and gives its secret. */
  String create(String admin, String name, String type, String resource, String... actions) {
    HttpResponse<String> made =
        post(
            "/api/v3/enterprise/configure/token",
            admin,
            "{\"token_name\":\""
                + name
                + "\",\"permissions\":[{\"resource_type\":\""
                + type
                + "\",\"resource_names\":[\""
                + resource
                + "\"],\"actions\":[\""
                + String.join("\",\"", actions)
                + "\"]}]}");
    if (made.statusCode() != 201) {
      throw new AssertionError(made.statusCode() + " " + made.body());
    }
    return json(made).path("token").asString();
  }

  static JsonNode json(HttpResponse<String> answer) {
    return JsonMapper.shared().readTree(answer.body());
  }
}
