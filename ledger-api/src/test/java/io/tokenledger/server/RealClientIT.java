package io.tokenledger.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/**
 * InfluxData's own MCP server, unmodified, manages tokens of the ledger as if it were an InfluxDB 3
 * Enterprise. The profile {@code clients} fetches it from the npm registry.
 */
@Tag("client")
class RealClientIT {

  private static final Path PROGRAM =
      Path.of("target/clients/node_modules/@influxdata/influxdb3-mcp-server/build/index.js");
  private static final JsonMapper JSON = JsonMapper.shared();

  @TempDir Path directory;
  private Server server;
  private HttpProbe http;
  private String operator;
  private Process client;
  private Writer toClient;
  private BufferedReader fromClient;
  private int requests;

  @BeforeEach
  void start() throws Exception {
    assertTrue(Files.exists(PROGRAM), "run with -Pclients, which fetches " + PROGRAM);
    server = Server.start(ServerIT.options(directory.resolve("data"), Map.of()));
    http = new HttpProbe(server.url());
    operator = HttpProbe.json(http.bootstrap()).path("token").asString();
    ProcessBuilder builder = new ProcessBuilder("node", PROGRAM.toString());
    builder.environment().put("INFLUX_DB_INSTANCE_URL", server.url());
    builder.environment().put("INFLUX_DB_TOKEN", operator);
    builder.environment().put("INFLUX_DB_PRODUCT_TYPE", "enterprise");
    client = builder.redirectError(directory.resolve("client.log").toFile()).start();
    toClient = client.outputWriter(StandardCharsets.UTF_8);
    fromClient =
        new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.UTF_8));
    ObjectNode hello = JSON.createObjectNode();
    hello.put("protocolVersion", "2024-11-05");
    hello.putObject("capabilities");
    hello.putObject("clientInfo").put("name", "test").put("version", "1");
    ask("initialize", hello);
    send(JSON.createObjectNode().put("method", "notifications/initialized"));
  }

  @AfterEach
  void stop() throws Exception {
    client.destroy();
    assertTrue(client.waitFor(20, TimeUnit.SECONDS));
    server.close();
  }

  private void send(ObjectNode message) throws Exception {
    toClient.write(message.put("jsonrpc", "2.0") + "\n");
    toClient.flush();
  }

  private JsonNode ask(String method, ObjectNode params) throws Exception {
    int id = ++requests;
    ObjectNode message = JSON.createObjectNode();
    message.put("id", id).put("method", method).set("params", params);
    send(message);
    return CompletableFuture.supplyAsync(() -> answer(id)).get(60, TimeUnit.SECONDS);
  }

  private JsonNode answer(int id) {
    try {
      for (String line = fromClient.readLine(); line != null; line = fromClient.readLine()) {
        JsonNode message = JSON.readTree(line);
        if (message.path("id").asInt(-1) == id) {
          return message.path("result");
        }
      }
      throw new AssertionError(
          "the client ended: " + Files.readString(directory.resolve("client.log")));
    } catch (java.io.IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  /** Calls a tool of the client and gives the text it answers. */
  private String call(String tool, String arguments) throws Exception {
    ObjectNode params = JSON.createObjectNode();
    params.put("name", tool).set("arguments", JSON.readTree(arguments));
    JsonNode result = ask("tools/call", params);
    String text = result.path("content").path(0).path("text").asString("");
    assertFalse(result.path("isError").asBoolean(false), tool + ": " + text);
    return text;
  }

  private static String secretIn(String text) {
    return text.replaceAll("(?s).*Token: (apiv3_[A-Za-z0-9_-]+).*", "$1");
  }

  @Test
  void createsListsAndDeletesTokens() throws Exception {
    String admin = secretIn(call("create_admin_token", "{\"name\":\"mcp-admin\"}"));
    assertEquals(200, http.get("/health", admin).statusCode());
    String reader =
        secretIn(
            call(
                "create_resource_token",
                "{\"description\":\"mcp-reader\",\"databases\":[\"plant_1\",\"plant_2\"],"
                    + "\"actions\":[\"read\"],\"expiry_secs\":604800}"));
    assertEquals(403, http.get("/health", reader).statusCode());

    String admins = call("list_admin_tokens", "{}");
    assertTrue(admins.contains("\"_admin\"") && admins.contains("\"mcp-admin\""), admins);
    assertFalse(admins.contains("mcp-reader"), admins);
    String readers = call("list_resource_tokens", "{\"databaseName\":\"plant_2\"}");
    assertTrue(readers.contains("mcp-reader"), readers);
    assertTrue(readers.contains("db:plant_1,plant_2:read"), readers);
    assertFalse(readers.contains("mcp-admin"), readers);

    call("delete_token", "{\"token_name\":\"mcp-reader\"}");
    assertEquals(401, http.get("/health", reader).statusCode());
    assertFalse(call("list_resource_tokens", "{}").contains("mcp-reader"));
    String trail = http.get("/api/v1/audit/events?token=mcp-reader", operator).body();
    assertTrue(trail.contains("ResourceTokenCreated") && trail.contains("TokenRevoked"), trail);
  }

  @Test
  void regeneratesTheOperatorToken() throws Exception {
    String successor = secretIn(call("regenerate_operator_token", "{}"));
    assertEquals(401, http.get("/health", operator).statusCode());
    assertEquals(200, http.get("/health", successor).statusCode());
  }
}
