package io.tokenledger.server;

import io.tokenledger.sql.SqlRows;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.List;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonGenerator;

/**
 * An answer of {@code query_sql} in the making: kept as the bytes that will be sent, byte for byte
 * as Apache Arrow writes them ({@code influxdb3-token-surface} 1.6). A null is left out in JSON and
 * empty elsewhere, a time has no zone.
 */
abstract class SqlAnswer implements SqlRows {

  private static final DateTimeFormatter SECONDS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss");
  private static final DateTimeFormatter MILLIS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSS");
  private static final DateTimeFormatter MICROS =
      DateTimeFormatter.ofPattern("uuuu-MM-dd'T'HH:mm:ss.SSSSSS");

  final AnswerBuffer buffer;

  SqlAnswer(AnswerBuffer buffer) {
    this.buffer = buffer;
  }

  /** How many bytes {@link #writeTo} writes. */
  long length() {
    return buffer.length();
  }

  void writeTo(OutputStream out) throws IOException {
    buffer.writeTo(out);
  }

  final void put(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    buffer.write(bytes, 0, bytes.length);
  }

  static String text(@Nullable Object value) {
    if (value == null) {
      return "";
    }
    if (value instanceof BigDecimal number) {
      return number.toPlainString();
    }
    if (!(value instanceof LocalDateTime time)) {
      return value.toString();
    }
    int nanos = time.getNano();
    return (nanos == 0 ? SECONDS : nanos % 1_000_000 == 0 ? MILLIS : MICROS).format(time);
  }

  /** An array of objects, or one object a line. */
  static final class Json extends SqlAnswer {

    private final boolean lines;
    private final JsonGenerator json;
    private List<String> names = List.of();
    private int next;

    Json(AnswerBuffer buffer, boolean lines) {
      super(buffer);
      this.lines = lines;
      this.json = JsonText.JSON.createGenerator(buffer);
    }

    @Override
    public void columns(List<String> columns) {
      names = columns;
      if (!lines) {
        json.writeStartArray();
      }
    }

    @Override
    public void cell(@Nullable Object value) {
      if (next == 0) {
        json.writeStartObject();
      }
      String name = names.get(next);
      // Of several columns of one name the last is in the object: it can have no two.
      boolean last = names.lastIndexOf(name) == next;
      next++;
      if (value == null || !last) {
        return;
      }
      json.writeName(name);
      if (value instanceof Boolean truth) {
        json.writeBoolean(truth);
      } else if (value instanceof Long number) {
        json.writeNumber(number);
      } else if (value instanceof BigDecimal number) {
        json.writeNumber(number);
      } else {
        json.writeString(text(value));
      }
    }

    @Override
    public void endRow() {
      if (next == 0) {
        json.writeStartObject();
      }
      json.writeEndObject();
      next = 0;
      if (lines) {
        json.flush();
        put("\n");
      }
    }

    @Override
    public void end() {
      if (!lines) {
        json.writeEndArray();
      }
      json.flush();
    }
  }

  /** RFC 4180 with bare line feeds. */
  static final class Csv extends SqlAnswer {

    private boolean first = true;

    Csv(AnswerBuffer buffer) {
      super(buffer);
    }

    @Override
    public void columns(List<String> names) {
      names.forEach(this::cell);
      endRow();
    }

    @Override
    public void cell(@Nullable Object value) {
      String cell = text(value);
      boolean quoted = cell.chars().anyMatch(c -> c == ',' || c == '"' || c == '\n' || c == '\r');
      put((first ? "" : ",") + (quoted ? '"' + cell.replace("\"", "\"\"") + '"' : cell));
      first = false;
    }

    @Override
    public void endRow() {
      put("\n");
      first = true;
    }

    @Override
    public void end() {}
  }

  /**
   * A table for eyes. Its columns are as wide as their widest cell, so the cells are kept first,
   * each behind its length, and framed while they are sent.
   */
  static final class Pretty extends SqlAnswer {

    private int[] widths = new int[0];
    private int next;
    private long cellChars;
    private long cellBytes;
    private long lineCount;

    Pretty(AnswerBuffer buffer) {
      super(buffer);
    }

    @Override
    public void columns(List<String> names) {
      widths = new int[names.size()];
      names.forEach(this::cell);
      endRow();
    }

    @Override
    public void cell(@Nullable Object value) {
      String cell = text(value);
      byte[] bytes = cell.getBytes(StandardCharsets.UTF_8);
      int length = bytes.length;
      buffer.write(
          new byte[] {
            (byte) (length >> 24), (byte) (length >> 16), (byte) (length >> 8), (byte) length
          },
          0,
          4);
      buffer.write(bytes, 0, length);
      int width = width(cell);
      widths[next] = Math.max(widths[next], width);
      cellChars += width;
      cellBytes += length;
      next++;
    }

    private static int width(String cell) {
      return cell.codePointCount(0, cell.length());
    }

    @Override
    public void endRow() {
      next = 0;
      lineCount++;
    }

    @Override
    public void end() {
      // A wide cell in one row widens all: what is sent can be much more than what is kept.
      if (length() > AnswerBuffer.MAX_BYTES) {
        throw AnswerBuffer.tooLong();
      }
    }

    private long lineLength() {
      long length = 1;
      for (int width : widths) {
        length += width + 3L;
      }
      return length;
    }

    @Override
    long length() {
      // Three frames, the last without a line feed.
      long chars = (lineCount + 3) * (lineLength() + 1) - 1;
      return chars + cellBytes - cellChars;
    }

    @Override
    void writeTo(OutputStream out) throws IOException {
      StringBuilder frame = new StringBuilder("+");
      for (int width : widths) {
        frame.append("-".repeat(width + 2)).append('+');
      }
      out.write((frame + "\n").getBytes(StandardCharsets.UTF_8));
      DataInputStream cells = new DataInputStream(buffer.read());
      for (long line = 0; line < lineCount; line++) {
        StringBuilder text = new StringBuilder("|");
        for (int width : widths) {
          String cell = new String(cells.readNBytes(cells.readInt()), StandardCharsets.UTF_8);
          text.append(' ').append(cell).append(" ".repeat(width - width(cell))).append(" |");
        }
        out.write(text.append('\n').toString().getBytes(StandardCharsets.UTF_8));
        if (line == 0) {
          out.write((frame + "\n").getBytes(StandardCharsets.UTF_8));
        }
      }
      out.write(frame.toString().getBytes(StandardCharsets.UTF_8));
    }
  }
}
