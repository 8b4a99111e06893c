package io.tokenledger.sink;

import io.tokenledger.outside.TlsFiles;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.format.DateTimeParseException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/**
 * RFC 5424 messages over TLS, each with its length in front (RFC 5425, RFC 6587).
 *
 * <p>A syslog receiver never says that it has something, and what was written to a socket may lie
 * in a buffer of a receiver that dies. So entries are sent in rounds. A round ends with the end of
 * its connection: when the receiver has closed its side too, it has read all of it. The next
 * round's connection is open before, and must still be open some seconds later: then the process
 * that read the round has lived that long since, and had that time to write it. Only then it is
 * confirmed. When a connection breaks, all that was not confirmed is sent again.
 */
final class SyslogSink implements Sink {

  /** Log audit, RFC 5424 table 1. */
  private static final int FACILITY = 13;

  private static final int NOTICE = 5;
  private static final int WARNING = 4;

  private static final int DEFAULT_PORT = 6514;
  private static final int CONNECT_LIMIT_MILLIS = 5_000;
  private static final int ANSWER_LIMIT_MILLIS = 30_000;
  private static final int ROUND_ENTRIES = 10_000;
  private static final int SETTLE_POLL_MILLIS = 50;
  private static final Duration ROUND = Duration.ofSeconds(1);
  private static final int DEFAULT_SETTLE_SECONDS = 2;
  private static final int MAX_SETTLE_SECONDS = 60;

  /** What rsyslog takes with the setting that the runbook gives; it cuts off what is longer. */
  private static final int DEFAULT_MAX_MESSAGE_BYTES = 64 * 1_024;

  private static final int LEAST_MAX_MESSAGE_BYTES = 2_048;
  private static final int MOST_MAX_MESSAGE_BYTES = 16 * 1_024 * 1_024;
  private static final Pattern INVISIBLE = Pattern.compile("[^\\x21-\\x7e]");
  private static final int BUFFER_BYTES = 64 * 1_024;

  /** {@code syslog}. */
  public static final class Factory implements SinkFactory {
    @Override
    public String type() {
      return "syslog";
    }

    @Override
    public Set<String> settings() {
      return Set.of(
          "ca_file", "certificate_file", "key_file", "settle_seconds", "max_message_bytes");
    }

    @Override
    public Sink open(SinkTarget target) {
      return new SyslogSink(target);
    }
  }

  /**
   * A round that the receiver has read.
   *
   * @param next the first leaf after it
   */
  private record Ended(long next, long atNanos) {}

  private final String host;
  private final int port;
  private final @Nullable SSLContext tls;
  private final Duration settle;
  private final int maxMessageBytes;
  private final Deque<Ended> ended = new ArrayDeque<>();

  /** Ends a connection over which nothing can be written: a write has no limit of its own. */
  private final ScheduledExecutorService watch;

  private volatile @Nullable Line line;
  private volatile boolean closed;
  private int unended;
  private long unendedSinceNanos;
  private long next;
  private long confirmed;

  SyslogSink(SinkTarget target) {
    URI url = target.requireUrl("tls", "tcp");
    this.host = url.getHost().replaceAll("[\\[\\]]", "");
    this.port = url.getPort() < 0 ? DEFAULT_PORT : url.getPort();
    if (url.getScheme().equalsIgnoreCase("tcp")) {
      Loopback.require(target, url);
      this.tls = null;
    } else {
      this.tls =
          TlsFiles.client(
              target.file("ca_file"), target.file("certificate_file"), target.file("key_file"));
    }
    this.watch =
        Executors.newSingleThreadScheduledExecutor(
            work -> {
              Thread thread = new Thread(work, "ledger-watch-" + target.name());
              thread.setDaemon(true);
              return thread;
            });
    this.maxMessageBytes =
        target.number(
            "max_message_bytes",
            DEFAULT_MAX_MESSAGE_BYTES,
            LEAST_MAX_MESSAGE_BYTES,
            MOST_MAX_MESSAGE_BYTES);
    this.settle =
        Duration.ofSeconds(
            target.number("settle_seconds", DEFAULT_SETTLE_SECONDS, 0, MAX_SETTLE_SECONDS));
  }

  /** A connection. */
  private static final class Line {
    private final Socket wire;
    private final Socket socket;
    private final InputStream in;
    private final OutputStream out;

    /**
     * @param wire the connection itself
     * @param socket what is spoken over it
     */
    Line(Socket wire, Socket socket) throws IOException {
      this.wire = wire;
      this.socket = socket;
      this.in = socket.getInputStream();
      this.out = new BufferedOutputStream(socket.getOutputStream(), BUFFER_BYTES);
    }

    /** Whether the receiver has not closed it. A receiver of syslog sends nothing. */
    boolean isOpen() {
      try {
        socket.setSoTimeout(1);
        return in.read() >= 0;
      } catch (SocketTimeoutException e) {
        return true;
      } catch (IOException e) {
        return false;
      }
    }

    /** Ends our side and waits until the receiver, having read all, ends its own. */
    void finish() throws IOException {
      out.flush();
      socket.setSoTimeout(ANSWER_LIMIT_MILLIS);
      socket.shutdownOutput();
      while (in.read() >= 0) {
        // A receiver of syslog sends nothing.
      }
      socket.close();
    }

    /** From whatever thread: TLS would wait for who is writing, which may be for ever. */
    void close() {
      try {
        wire.close();
      } catch (IOException e) {
        // It is of no use any more either way.
      }
    }
  }

  @SuppressWarnings("resource") // The line closes it.
  private Line connect(InetSocketAddress address) throws IOException {
    if (closed) {
      throw new IOException("closed");
    }
    Socket socket = new Socket();
    try {
      socket.connect(address, CONNECT_LIMIT_MILLIS);
      socket.setTcpNoDelay(true);
      socket.setKeepAlive(true);
      if (tls == null) {
        return new Line(socket, socket);
      }
      SSLSocket secure = (SSLSocket) tls.getSocketFactory().createSocket(socket, host, port, true);
      SSLParameters parameters = secure.getSSLParameters();
      parameters.setEndpointIdentificationAlgorithm("HTTPS");
      secure.setSSLParameters(parameters);
      secure.setSoTimeout(ANSWER_LIMIT_MILLIS);
      secure.startHandshake();
      return new Line(socket, secure);
    } catch (IOException e) {
      socket.close();
      throw e;
    }
  }

  @Override
  public void send(List<Message> messages) throws IOException, EntriesRefused {
    if (closed) {
      throw new IOException("closed");
    }
    List<byte[]> heads = new ArrayList<>(messages.size());
    for (Message message : messages) {
      byte[] head = head(message).getBytes(StandardCharsets.US_ASCII);
      // Before anything is written: a receiver cuts it off, or takes the rest for the next one.
      if (head.length + message.body().length > maxMessageBytes) {
        throw new EntriesRefused("longer than max_message_bytes, " + maxMessageBytes);
      }
      heads.add(head);
    }
    Line open = line;
    if (open != null && !open.isOpen()) {
      if (unended > 0 || !ended.isEmpty()) {
        throw new IOException("the receiver closed the connection");
      }
      // It may end a connection that says nothing; nothing was lost.
      open.close();
      open = null;
    }
    if (open == null) {
      open = connect(new InetSocketAddress(host, port));
      line = open;
    }
    ScheduledFuture<?> limit = limited(open);
    try {
      for (int i = 0; i < heads.size(); i++) {
        write(open.out, heads.get(i), messages.get(i).body());
      }
      open.out.flush();
    } finally {
      limit.cancel(false);
    }
    long after = messages.get(messages.size() - 1).leafIndex() + 1;
    if (unended == 0) {
      unendedSinceNanos = System.nanoTime();
      next = after;
    }
    unended += messages.size();
    // One that is sent again may come from before.
    next = Math.max(next, after);
    if (unended >= ROUND_ENTRIES) {
      endRound(open);
    }
  }

  private ScheduledFuture<?> limited(Line open) {
    return watch.schedule(open::close, ANSWER_LIMIT_MILLIS, TimeUnit.MILLISECONDS);
  }

  private static void write(OutputStream out, byte[] head, byte[] body) throws IOException {
    String length = Integer.toString(head.length + body.length);
    out.write(length.getBytes(StandardCharsets.US_ASCII));
    out.write(' ');
    out.write(head);
    out.write(body);
  }

  /** Up to the space before the message itself. */
  static String head(Message message) {
    int severity = message.outcome().equals("success") ? NOTICE : WARNING;
    return "<"
        + (FACILITY * 8 + severity)
        + ">1 "
        + time(message)
        + " "
        + name(message.node(), 255)
        + " token-ledger - "
        + name(message.eventType(), 32)
        + " - ";
  }

  private static String time(Message message) {
    try {
      return Instant.parse(message.occurredAt()).toString();
    } catch (DateTimeParseException e) {
      return "-";
    }
  }

  /** Visible ASCII without spaces; a hyphen where there is nothing. */
  private static String name(@Nullable String text, int limit) {
    if (text == null || text.isEmpty()) {
      return "-";
    }
    String visible = INVISIBLE.matcher(text).replaceAll("_");
    return visible.substring(0, Math.min(visible.length(), limit));
  }

  private void endRound(Line open) throws IOException {
    // The same address: another process of that name would vouch for what it has not read.
    Line following = connect((InetSocketAddress) open.wire.getRemoteSocketAddress());
    line = following;
    ScheduledFuture<?> limit = limited(open);
    try {
      if (!open.isOpen()) {
        // Whoever took the new connection may be another process than read this round.
        throw new IOException("the receiver closed the connection");
      }
      open.finish();
    } catch (IOException e) {
      open.close();
      throw e;
    } finally {
      limit.cancel(false);
    }
    ended.add(new Ended(next, System.nanoTime()));
    unended = 0;
  }

  @Override
  public long confirmed() throws IOException {
    Line open = line;
    if (open != null && unended > 0 && System.nanoTime() - unendedSinceNanos >= ROUND.toNanos()) {
      endRound(open);
      open = line;
    }
    if (!ended.isEmpty()) {
      if (open == null || !open.isOpen()) {
        throw new IOException("the receiver closed the connection");
      }
      long settled = System.nanoTime() - settle.toNanos();
      while (!ended.isEmpty() && ended.peek().atNanos() - settled <= 0) {
        confirmed = Math.max(confirmed, ended.remove().next());
      }
    }
    return confirmed;
  }

  @Override
  public void settle() throws IOException, InterruptedException {
    Line open = line;
    if (open != null && unended > 0) {
      endRound(open);
    }
    while (!ended.isEmpty()) {
      TimeUnit.MILLISECONDS.sleep(SETTLE_POLL_MILLIS);
      confirmed();
    }
  }

  @Override
  public void reset() {
    Line open = line;
    if (open != null) {
      open.close();
    }
    line = null;
    unended = 0;
    ended.clear();
    // What it had read may be of a history that a restore ended.
    confirmed = 0;
  }

  @Override
  public void close() {
    closed = true;
    watch.shutdownNow();
    Line open = line;
    if (open != null) {
      open.close();
    }
  }
}
