package io.tokenledger.history;

/** A query that is none; the message names the word and the rule. */
public final class InvalidFilter extends RuntimeException {

  private static final long serialVersionUID = 1L;

  private static final int MAX_SHOWN_CHARS = 64;

  InvalidFilter(String word, String rule) {
    super("in `" + shown(word) + "`: " + rule, null, false, false);
  }

  private static String shown(String word) {
    return word.length() <= MAX_SHOWN_CHARS ? word : word.substring(0, MAX_SHOWN_CHARS) + "...";
  }
}
