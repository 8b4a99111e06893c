package io.tokenledger.cli;

import io.tokenledger.audit.RequestContext;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import javax.net.ssl.HttpsURLConnection;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLException;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/**
 * The server a command talks to, and the options that say which. {@code HttpURLConnection}, because
 * the newer client alone makes a command start ten times slower.
 */
class Remote {

  private static final int CONNECT_MILLIS = 5_000;
  private static final int READ_MILLIS = 120_000;

  @Option(
      names = {"-H", "--host"},
      paramLabel = "URL",
      description = "Server. Default http://127.0.0.1:8181 [LEDGER_HOST_URL, INFLUXDB3_HOST_URL]")
  private @Nullable String host;

  private @Nullable String token;

  @Option(
      names = "--tls-ca",
      paramLabel = "FILE",
      description = "PEM certificates to trust [LEDGER_TLS_CA, INFLUXDB3_TLS_CA]")
  private @Nullable String tlsCa;

  @Option(names = "--tls-no-verify", description = "Trusts any certificate [LEDGER_TLS_NO_VERIFY]")
  private boolean tlsNoVerify;

  @Option(names = "--reason", paramLabel = "TEXT", description = "Why, for the audit")
  private @Nullable String reason;

  @Option(names = "--ticket", paramLabel = "ID", description = "Change or incident, for the audit")
  private @Nullable String ticket;

  @Option(names = "--on-behalf-of", paramLabel = "PERSON", description = "For whom, for the audit")
  private @Nullable String onBehalfOf;

  /** The same with {@code --token}, which {@code audit log} needs for something else. */
  static final class WithToken extends Remote {
    @Option(
        names = "--token",
        paramLabel = "TOKEN",
        description = "Token to authenticate with [LEDGER_AUTH_TOKEN, INFLUXDB3_AUTH_TOKEN]")
    void token(String secret) {
      authenticate(secret);
    }
  }

  /** Presents that token, whatever the environment says. */
  void authenticate(@Nullable String secret) {
    token = secret;
  }

  /**
   * An answer.
   *
   * @param status HTTP status code
   */
  record Answer(int status, String body) {}

  /** Takes the lines of a streamed answer. */
  interface Lines {
    void accept(String line);
  }

  Answer post(String path, @Nullable String body) {
    return send("POST", path, body);
  }

  Answer get(String path) {
    return send("GET", path, null);
  }

  Answer delete(String path) {
    return send("DELETE", path, null);
  }

  Answer put(String path, String body) {
    return send("PUT", path, body);
  }

  /** One line for a refusal, with what to do about it where that is known. */
  static CommandFailed refused(String what, Answer answer) {
    String message = answer.body();
    if (message.startsWith("{")) {
      String said = Json.field(message, "message");
      String error = said == null ? Json.field(message, "error") : said;
      message = error == null ? message : error;
    }
    String hint =
        switch (answer.status()) {
          case 401 -> " (give a valid token with --token or INFLUXDB3_AUTH_TOKEN)";
          case 403 -> " (this token may not do that)";
          case 409 -> nameTaken(message.strip());
          case 503 -> " (try again in a few seconds)";
          default -> "";
        };
    return new CommandFailed(
        "cannot " + what + ": " + answer.status() + " " + message.strip() + hint);
  }

  private static String nameTaken(String message) {
    String taken = "token name already exists, ";
    if (!message.startsWith(taken)) {
      return "";
    }
    return message.equals(taken + "_admin")
        ? " (give it another secret with: create token --admin --regenerate)"
        : " (delete it first, or choose another name)";
  }

  private Answer send(String method, String path, @Nullable String body) {
    try {
      HttpURLConnection connection = open(method, path, body);
      int status = connection.getResponseCode();
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        String text = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
        return new Answer(status, text);
      }
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  /** Posts, and writes a good answer into the file; a failure's body is in what is returned. */
  Answer download(String path, Path file) {
    try {
      HttpURLConnection connection = open("POST", path, null);
      int status = connection.getResponseCode();
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        if (status == 200) {
          Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
          return new Answer(status, "");
        }
        String text = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
        return new Answer(status, text);
      }
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  /**
   * A good answer that is read as it comes.
   *
   * @param treeSize how many leaves it is of, 0 when it does not say
   */
  record Stream(InputStream body, long treeSize) {}

  /** Takes such an answer. */
  interface Taker {
    void take(Stream stream) throws IOException;
  }

  /**
   * Posts under that request id, and hands a good answer on while it comes; a failure's body is in
   * what is returned.
   *
   * @throws CommandFailed also when the answer breaks off
   */
  Answer stream(String path, String requestId, Taker taker) {
    try {
      HttpURLConnection connection = open("POST", path, null);
      connection.setRequestProperty("X-Request-Id", requestId);
      int status = connection.getResponseCode();
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        if (status == 200) {
          taker.take(new Stream(in, connection.getHeaderFieldLong("Audit-Tree-Size", 0)));
          return new Answer(status, "");
        }
        String text = in == null ? "" : new String(in.readAllBytes(), StandardCharsets.UTF_8);
        return new Answer(status, text);
      }
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  /** Posts, and hands on each line as it comes; a failure's whole body is one line. */
  int stream(String path, Lines lines) {
    try {
      HttpURLConnection connection = open("POST", path, null);
      int status = connection.getResponseCode();
      try (InputStream in =
          status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
        if (in != null) {
          new java.io.BufferedReader(new java.io.InputStreamReader(in, StandardCharsets.UTF_8))
              .lines()
              .forEach(lines::accept);
        }
      }
      return status;
    } catch (IOException e) {
      throw unreachable(e);
    }
  }

  private CommandFailed unreachable(IOException e) {
    String hint =
        e instanceof SSLException
            ? "is its certificate the one that --tls-ca names, and does it speak TLS 1.3?"
            : "is the server running? see --host";
    return new CommandFailed("cannot reach " + url() + " (" + e.getMessage() + "); " + hint);
  }

  /** The message names no character of it: it is a secret, or the greater part of one. */
  private static void requireHeader(String secret) {
    if (!secret.chars().allMatch(c -> c > ' ' && c < 0x7f)) {
      throw new CommandFailed(
          "the token (--token, LEDGER_AUTH_TOKEN, INFLUXDB3_AUTH_TOKEN) must be visible ASCII"
              + " without spaces: does it end in a line break?");
    }
  }

  private HttpURLConnection open(String method, String path, @Nullable String body)
      throws IOException {
    HttpURLConnection connection =
        (HttpURLConnection) URI.create(url() + path).toURL().openConnection();
    if (connection instanceof HttpsURLConnection tls) {
      trust(tls);
    }
    connection.setRequestMethod(method);
    connection.setConnectTimeout(CONNECT_MILLIS);
    connection.setReadTimeout(READ_MILLIS);
    connection.setInstanceFollowRedirects(false);
    connection.setRequestProperty("User-Agent", "token-ledger-cli/" + LedgerCli.version());
    String secret = firstOf(token, "LEDGER_AUTH_TOKEN", "INFLUXDB3_AUTH_TOKEN");
    if (secret != null) {
      requireHeader(secret);
      connection.setRequestProperty("Authorization", "Bearer " + secret);
    }
    Map<String, @Nullable String> why = new LinkedHashMap<>();
    why.put("Ledger-Reason", reason);
    why.put("Ledger-Ticket", ticket);
    why.put("Ledger-On-Behalf-Of", onBehalfOf);
    why.forEach(
        (header, value) -> {
          if (value != null) {
            connection.setRequestProperty(header, encode(value));
          }
        });
    if (body != null) {
      connection.setRequestProperty("Content-Type", "application/json");
      connection.setDoOutput(true);
      connection.getOutputStream().write(body.getBytes(StandardCharsets.UTF_8));
    }
    return connection;
  }

  /** Percent-encodes, so that any text fits into a header or query. */
  static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  /** Who asks and why, for a command that asks no server. */
  RequestContext offline() {
    return RequestContext.ofOffline(
        onBehalfOf, reason, ticket, "cli/" + LedgerCli.version(), UUID.randomUUID().toString());
  }

  private String url() {
    String url = firstOf(host, "LEDGER_HOST_URL", "INFLUXDB3_HOST_URL");
    if (url == null) {
      return "http://127.0.0.1:8181";
    }
    try {
      URI uri = new URI(url);
      boolean web =
          "http".equalsIgnoreCase(uri.getScheme()) || "https".equalsIgnoreCase(uri.getScheme());
      if (web && uri.getHost() != null && uri.getUserInfo() == null && uri.getQuery() == null) {
        return url.replaceAll("/+$", "");
      }
    } catch (URISyntaxException e) {
      // Falls through to the one message, which does not repeat what may be a secret.
    }
    throw new CommandFailed(
        "--host (LEDGER_HOST_URL, INFLUXDB3_HOST_URL) must be a URL such as"
            + " http://127.0.0.1:8181");
  }

  static @Nullable String firstOf(@Nullable String flag, String... variables) {
    if (flag != null) {
      return flag;
    }
    for (String variable : variables) {
      String value = System.getenv(variable);
      if (value != null && !value.isEmpty()) {
        return value;
      }
    }
    return null;
  }

  private boolean trustsAnyone() {
    String text = System.getenv("LEDGER_TLS_NO_VERIFY");
    return switch (text == null ? "" : text) {
      case "true", "1" -> true;
      case "false", "0", "" -> tlsNoVerify;
      default -> throw new CommandFailed("LEDGER_TLS_NO_VERIFY must be true or false");
    };
  }

  private void trust(HttpsURLConnection connection) {
    // As the original: a context of that name would still take TLS 1.2.
    System.setProperty("https.protocols", "TLSv1.3");
    String ca = firstOf(tlsCa, "LEDGER_TLS_CA", "INFLUXDB3_TLS_CA");
    try {
      SSLContext context = SSLContext.getInstance("TLSv1.3");
      if (trustsAnyone()) {
        context.init(null, new TrustManager[] {new TrustAnyone()}, null);
        connection.setHostnameVerifier((name, session) -> true);
      } else if (ca != null) {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = new FileInputStream(ca)) {
          int next = 0;
          for (var certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
            store.setCertificateEntry("ca" + next++, certificate);
          }
        }
        TrustManagerFactory trust =
            TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        context.init(null, trust.getTrustManagers(), null);
      } else {
        return;
      }
      connection.setSSLSocketFactory(context.getSocketFactory());
    } catch (GeneralSecurityException | IOException e) {
      throw new CommandFailed("--tls-ca " + ca + " cannot be used: " + e.getMessage());
    }
  }

  /** What {@code --tls-no-verify} asks for. */
  private static final class TrustAnyone implements X509TrustManager {
    @Override
    public void checkClientTrusted(X509Certificate[] chain, String type) {}

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String type) {}

    @Override
    public X509Certificate[] getAcceptedIssuers() {
      return new X509Certificate[0];
    }
  }
}
