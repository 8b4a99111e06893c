import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Decisions a second by HTTP, half of them on tokens that may, the rest on such as are forbidden it,
 * expired, revoked and forged, against {@code GET /ping} of the same server, which looks at no
 * token. In turn; every answer is judged by check-throughput.lua.
 *
 * <p>Run it with ops/bench/check-throughput.
 */
public class CheckThroughput {

  private static final int WARM_UP_SECONDS = 30;
  private static final int VALID = 400;
  private static final int OF_EACH_OTHER = 100;

  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final Path script;
  private final int connections;
  private final Random random = new Random(6);
  private String url;
  private String operator;
  private long wrong;

  /** What one run of wrk told. */
  private record Run(double perSecond, double p99Millis) {}

  /**
   * A question whose answer is known.
   *
   * @param part of the body of a right answer; - for any
   */
  private record Question(
      String name, int status, String part, String method, String path, String token, String body) {

    String line() {
      return String.join("\t", name, Integer.toString(status), part, method, path, token, body);
    }
  }

  CheckThroughput(Path root, int connections) {
    this.script = root.resolve("ops/bench/check-throughput.lua");
    this.connections = connections;
  }

  public static void main(String[] args) throws Exception {
    Path root = Path.of(args[0]).toAbsolutePath();
    int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 7;
    int seconds = args.length > 2 ? Integer.parseInt(args[2]) : 10;
    int connections = args.length > 3 ? Integer.parseInt(args[3]) : 64;
    Path work = Files.createTempDirectory("ledger-bench");
    Process server =
        new ProcessBuilder(
                root.resolve("ops/bin/ledger").toString(),
                "serve",
                "--http-bind",
                "127.0.0.1:0",
                "--data-dir",
                work.resolve("data").toString(),
                "--disable-authz",
                "ping")
            .redirectError(work.resolve("serve.log").toFile())
            .start();
    try {
      new CheckThroughput(root, connections).run(server, work, rounds, seconds);
    } finally {
      server.destroy();
      server.waitFor();
      try (Stream<Path> files = Files.walk(work)) {
        files.sorted((a, b) -> b.compareTo(a)).forEach(file -> file.toFile().delete());
      }
    }
  }

  private void run(Process server, Path work, int rounds, int seconds) throws Exception {
    url =
        new BufferedReader(new InputStreamReader(server.getInputStream()))
            .readLine()
            .replace("ledger ready on ", "");
    operator = field(send("POST", "/api/v3/configure/token/admin", null, ""), "token");
    Map<String, Path> ways = questions(work);
    for (Map.Entry<String, Path> way : ways.entrySet()) {
      Run run = wrk(way.getValue(), WARM_UP_SECONDS);
      System.out.printf(
          Locale.ROOT, "warm-up of %s, %d s: %.0f/s%n",
          way.getKey(), WARM_UP_SECONDS, run.perSecond());
    }
    Map<String, List<Double>> ratios = new LinkedHashMap<>();
    List<String> order = new ArrayList<>(ways.keySet());
    for (int round = 1; round <= rounds; round++) {
      Map<String, Run> runs = new LinkedHashMap<>();
      for (String way : order) {
        runs.put(way, wrk(ways.get(way), seconds));
      }
      // Who comes first in a round has the caches of who came last in the one before.
      Collections.reverse(order);
      Run empty = runs.get("ping");
      StringBuilder line = new StringBuilder("round " + round);
      for (String way : ways.keySet()) {
        Run run = runs.get(way);
        line.append(
            String.format(
                Locale.ROOT, " | %s %.0f/s, p99 %.1f ms", way, run.perSecond(), run.p99Millis()));
        if (!way.equals("ping")) {
          double ratio = run.perSecond() / empty.perSecond();
          line.append(String.format(Locale.ROOT, ", ratio %.2f", ratio));
          ratios.computeIfAbsent(way, key -> new ArrayList<>()).add(ratio);
        }
      }
      System.out.println(line);
    }
    ratios.forEach(
        (way, all) -> {
          double[] sorted = all.stream().mapToDouble(r -> r).sorted().toArray();
          System.out.printf(
              Locale.ROOT, "ratio %s/ping: min %.2f median %.2f max %.2f; goal 0.80%n",
              way, sorted[0], sorted[sorted.length / 2], sorted[sorted.length - 1]);
        });
    System.out.printf("wrong answers: %d; goal 0%n", wrong);
  }

  /** A file of questions for each way to ask, shuffled, the same tokens in all of them. */
  private Map<String, Path> questions(Path work) throws Exception {
    String checker = create("checker", "ledger", "check", "read", "");
    List<Question> gateway = new ArrayList<>();
    List<Question> check = new ArrayList<>();
    for (int i = 0; i < VALID; i++) {
      String token = create("valid-" + i, "db", "a", "write", "");
      gateway.add(gateway("valid", 200, token));
      check.add(check("valid", "\"allowed\":true", checker, token));
    }
    for (int i = 0; i < OF_EACH_OTHER; i++) {
      String forbidden = create("forbidden-" + i, "db", i % 2 == 0 ? "b" : "a", "read", "");
      gateway.add(gateway("forbidden", 403, forbidden));
      check.add(check("forbidden", "\"not_granted\"", checker, forbidden));
      String expired = create("expired-" + i, "db", "a", "write", ",\"expiry_secs\":1");
      gateway.add(gateway("expired", 401, expired));
      check.add(check("expired", "\"expired_token\"", checker, expired));
      String revoked = create("revoked-" + i, "db", "a", "write", "");
      send("DELETE", "/api/v3/configure/token?token_name=revoked-" + i, operator, "");
      gateway.add(gateway("revoked", 401, revoked));
      check.add(check("revoked", "\"revoked_token\"", checker, revoked));
      String forged = revoked.substring(0, 20) + Long.toHexString(random.nextLong()) + revoked.substring(36);
      gateway.add(gateway("forged", 401, forged));
      check.add(check("forged", "\"unknown_token\"", checker, forged));
    }
    TimeUnit.SECONDS.sleep(2); // The last ones have expired.
    Map<String, Path> ways = new LinkedHashMap<>();
    ways.put("ping", write(work, "ping", List.of(new Question("ping", 200, "OK", "GET", "/ping", "-", "-"))));
    ways.put("forward-auth", write(work, "forward-auth", gateway));
    ways.put("check", write(work, "check", check));
    return ways;
  }

  private Path write(Path work, String name, List<Question> questions) throws Exception {
    List<Question> shuffled = new ArrayList<>(questions);
    Collections.shuffle(shuffled, random);
    return Files.write(work.resolve(name), shuffled.stream().map(Question::line).toList());
  }

  private static Question gateway(String name, int status, String token) {
    return new Question(name, status, "-", "GET", "/api/v1/forward-auth", token, "-");
  }

  private static Question check(String name, String part, String checker, String token) {
    return new Question(
        name, 200, part, "POST", "/api/v1/check", checker,
        "{\"token\":\"" + token + "\",\"resource_type\":\"db\",\"resource_name\":\"a\",\"action\":\"write\"}");
  }

  private String create(String name, String type, String resource, String action, String more)
      throws Exception {
    return field(
        send(
            "POST",
            "/api/v3/enterprise/configure/token",
            operator,
            "{\"token_name\":\"" + name + "\",\"permissions\":[{\"resource_type\":\"" + type
                + "\",\"resource_names\":[\"" + resource + "\"],\"actions\":[\"" + action + "\"]}]"
                + more + "}"),
        "token");
  }

  private String send(String method, String path, String token, String body) throws Exception {
    HttpRequest.Builder request =
        HttpRequest.newBuilder(URI.create(url + path))
            .method(method, HttpRequest.BodyPublishers.ofString(body));
    if (token != null) {
      request.header("Authorization", "Bearer " + token).header("Content-Type", "application/json");
    }
    HttpResponse<String> answer =
        http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() / 100 != 2) {
      throw new IllegalStateException(method + " " + path + ": " + answer.statusCode());
    }
    return answer.body();
  }

  private static String field(String json, String name) {
    return json.replaceFirst("(?s).*\"" + name + "\":\"([^\"]+)\".*", "$1");
  }

  private Run wrk(Path questions, int seconds) throws Exception {
    Process wrk =
        new ProcessBuilder(
                "wrk", "-t2", "-c" + connections, "-d" + seconds + "s", "--timeout", "10s",
                "-s", script.toString(), url, "--", questions.toString())
            .redirectErrorStream(true)
            .start();
    String said = new String(wrk.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    int status = wrk.waitFor();
    String[] result =
        said.lines()
            .filter(line -> line.startsWith("RESULT\t"))
            .findFirst()
            .orElseThrow(() -> new IllegalStateException("wrk ended with " + status + ": " + said))
            .split("\t");
    wrong += Long.parseLong(result[3]) + Long.parseLong(result[4]);
    if (!result[3].equals("0") || !result[4].equals("0")) {
      System.out.printf(
          "WRONG: %s answers, %s errors of connections; one: %s%n", result[3], result[4], result[6]);
    }
    return new Run(
        Double.parseDouble(result[1]) * 1e6 / Double.parseDouble(result[2]),
        Double.parseDouble(result[5]) / 1_000);
  }
}
