package io.tokenledger.cli;

import java.util.ArrayList;
import java.util.List;

/** What {@code --format} takes, for who completes it in a shell. */
final class Formats {

  private Formats() {}

  /** For an answer that is one thing. */
  static final class TextOrJson extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    TextOrJson() {
      super(List.of("text", "json"));
    }
  }

  /** For rows, in the words of {@code influxdb3}. */
  static final class Rows extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Rows() {
      super(List.of("pretty", "json", "jsonl", "csv", "parquet"));
    }
  }

  /** For events. */
  static final class Events extends ArrayList<String> {
    private static final long serialVersionUID = 1L;

    Events() {
      super(List.of("table", "json", "csv"));
    }
  }
}
