package io.tokenledger.backup;

import io.tokenledger.store.EventTable;
import io.tokenledger.tlog.InvalidTlogFormat;
import io.tokenledger.tlog.SignedNote;
import io.tokenledger.verify.Bodies;
import io.tokenledger.verify.BundleWriter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import org.jspecify.annotations.Nullable;

/**
 * What a file from elsewhere says was in the ledger: a backup of events, a bundle of the audit, or
 * a checkpoint alone. None of it is believed here; whoever asks has the keys.
 */
public final class KnownHistory {

  private KnownHistory() {}

  /** Takes event after event of a file. */
  public interface Events {
    /**
     * @param mac as it was stored
     */
    void take(EventTable.Row row, byte[] mac);
  }

  /**
   * What a file knows beside events.
   *
   * @param notes its checkpoints
   * @param highestTokenId no token had a greater id; 0 where the file does not say
   */
  public record Known(List<SignedNote> notes, long highestTokenId) {}

  /**
   * Reads the file once, in constant memory.
   *
   * @throws IllegalStateException with one sentence when it is none of the three
   */
  public static Known read(Path file, Events events) {
    try (ZipFile zip = new ZipFile(file.toFile(), StandardCharsets.UTF_8)) {
      return EventBackup.isOne(zip) ? backup(zip, events) : bundle(zip, events);
    } catch (ZipException e) {
      return new Known(List.of(checkpoint(file)), 0);
    } catch (IOException | InvalidTlogFormat | IllegalArgumentException e) {
      throw new IllegalStateException("--known " + file + ": " + e.getMessage(), e);
    }
  }

  private static SignedNote checkpoint(Path file) {
    try {
      return SignedNote.parse(Files.readString(file, StandardCharsets.UTF_8));
    } catch (IOException | InvalidTlogFormat e) {
      throw new IllegalStateException(
          "--known " + file + " is no backup of events, no bundle and no checkpoint", e);
    }
  }

  private static Known bundle(ZipFile zip, Events events) throws IOException {
    try (BufferedReader lines = reader(entry(zip, BundleWriter.BODIES))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        Bodies.Body body = Bodies.read(line);
        events.take(body.event().row(), body.event().mac());
      }
    }
    try (InputStream in = entry(zip, BundleWriter.CHECKPOINT)) {
      return new Known(
          List.of(SignedNote.parse(new String(in.readAllBytes(), StandardCharsets.UTF_8))), 0);
    }
  }

  private static InputStream entry(ZipFile zip, String name) throws IOException {
    ZipEntry entry = zip.getEntry(name);
    if (entry == null) {
      throw new IOException("it is no backup of events and no bundle");
    }
    return zip.getInputStream(entry);
  }

  private static Known backup(ZipFile zip, Events events) throws IOException {
    List<SignedNote> notes = new ArrayList<>();
    for (EventBackup.Table table : EventBackup.tables(zip)) {
      if (table.name().equals("ledger.event")) {
        rows(zip, table, row -> events.take(row(table, row), mac(table, row)));
      } else if (table.name().equals("audit.checkpoint")) {
        // In the order of their keys: the last one is the newest.
        rows(
            zip,
            table,
            row -> {
              notes.clear();
              notes.add(SignedNote.parse(text(table, row, "note")));
            });
      }
    }
    return new Known(List.copyOf(notes), EventBackup.highestTokenId(zip));
  }

  private interface Rows {
    void take(List<@Nullable String> row);
  }

  private static void rows(ZipFile zip, EventBackup.Table table, Rows rows) throws IOException {
    try (BufferedReader lines = reader(EventBackup.rows(zip, table.name()))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        List<@Nullable String> row = TableCopy.split(line);
        if (row.size() != table.columns().size()) {
          throw new IOException("a row of " + table.name() + " has not the columns it should");
        }
        rows.take(row);
      }
    }
  }

  private static EventTable.Row row(EventBackup.Table table, List<@Nullable String> row) {
    return new EventTable.Row(
        text(table, row, "event_id"),
        text(table, row, "aggregate_id"),
        Long.parseLong(text(table, row, "sequence_number")),
        text(table, row, "aggregate_type"),
        text(table, row, "event_type"),
        text(table, row, "revision"),
        text(table, row, "occurred_at"),
        text(table, row, "payload"),
        text(table, row, "metadata"));
  }

  /** As PostgreSQL writes bytes: a backslash, an x and hexadecimal digits. */
  private static byte[] mac(EventBackup.Table table, List<@Nullable String> row) {
    return HexFormat.of().parseHex(text(table, row, "mac").substring(2));
  }

  private static String text(EventBackup.Table table, List<@Nullable String> row, String column) {
    int place = table.columns().indexOf(column);
    if (place < 0) {
      throw new IllegalArgumentException(table.name() + " has no column " + column);
    }
    return Objects.requireNonNull(row.get(place), column);
  }

  private static BufferedReader reader(InputStream in) {
    return new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
  }
}
