package io.tokenledger.gateway;

import io.tokenledger.gateway.Demand.Admin;
import io.tokenledger.gateway.Demand.Family;
import io.tokenledger.gateway.Demand.Grant;
import io.tokenledger.gateway.Demand.Grants;
import io.tokenledger.gateway.Demand.Refused;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which databases an InfluxQL text reads and writes. It understands no more than that needs: a
 * {@code SELECT} without {@code INTO}, {@code SHOW} and {@code EXPLAIN} read each database they
 * name, {@code INTO} also writes, any other statement is an admin's, and what it cannot follow is
 * refused. An InfluxDB 1.x carries out {@code DROP} and {@code CREATE} on the same endpoint.
 */
final class InfluxQl {

  private static final int MAX_STATEMENTS = 100;
  private static final int MAX_DEPTH = 50;

  /** What is shown of one database, by the first word after {@code SHOW}. */
  private static final Set<String> SHOWN_OF_ONE =
      Set.of("measurements", "measurement", "series", "tag", "field", "retention");

  /** What may follow the sources of a {@code SELECT}. */
  private static final Set<String> CLAUSES =
      Set.of("where", "group", "order", "limit", "offset", "slimit", "soffset", "fill", "tz");

  private static final Set<String> SHOW_CLAUSES =
      Set.of("on", "from", "with", "where", "group", "order", "limit", "offset");

  /**
   * InfluxQL's reserved words: unquoted they are never a name, and after one of them a slash begins
   * a regular expression where after a name it divides.
   */
  private static final Set<String> KEYWORDS =
      Set.of(
          ("all alter analyze and any as asc begin by cardinality continuous create database"
                  + " databases default delete desc destinations diagnostics distinct drop duration"
                  + " end every exact explain false field for from grant grants group groups in inf"
                  + " insert into key keys kill limit measurement measurements name offset on or"
                  + " order password policies policy privileges queries query read replication"
                  + " resample retention revoke select series set shard shards show slimit soffset"
                  + " stats subscription subscriptions tag to true user users values where with"
                  + " write")
              .split(" "));

  private static final Pattern NUMBER =
      Pattern.compile("(?:(?:\\d+(?:ns|us|ms|[uµsmhdw]))+|\\d+(?:\\.\\d+)?)(?![A-Za-z0-9_.µ])");

  private static final Pattern HIDDEN = Pattern.compile("(?i)\\b(?:select|from|into)\\b|[\"';]");

  private enum Kind {
    WORD,
    QUOTED,
    TEXT,
    REGEX,
    NUMBER,
    SIGN,
    END
  }

  private record Lexeme(Kind kind, String text) {

    boolean isWord(String word) {
      return kind == Kind.WORD && text.equalsIgnoreCase(word);
    }

    boolean isSign(char sign) {
      return kind == Kind.SIGN && text.charAt(0) == sign;
    }

    boolean isAnyOf(Set<String> words) {
      return kind == Kind.WORD && words.contains(text.toLowerCase(Locale.ROOT));
    }

    /** Whether it may name a database, a policy or a measurement. */
    boolean isName() {
      return kind == Kind.QUOTED || (kind == Kind.WORD && !isAnyOf(KEYWORDS));
    }
  }

  private static final Lexeme END = new Lexeme(Kind.END, "");

  /** It cannot be followed. */
  private static final class Unfollowed extends Exception {

    private static final long serialVersionUID = 1L;

    Unfollowed() {
      super(null, null, false, false);
    }
  }

  private final List<Lexeme> lexemes;
  private final @Nullable String database;
  private final @Nullable String policy;
  private final Set<Grant> grants = new LinkedHashSet<>();
  private boolean adminOnly;
  private int at;

  private InfluxQl(List<Lexeme> lexemes, @Nullable String database, @Nullable String policy) {
    this.lexemes = lexemes;
    this.database = database;
    this.policy = policy;
  }

  /**
   * What these statements need.
   *
   * @param database the one that is meant where none is named; null or empty for none
   * @param policy the retention policy that is meant where none is named
   */
  static Demand demand(
      Family family, String query, @Nullable String database, @Nullable String policy) {
    try {
      InfluxQl reader = new InfluxQl(lexemes(query), database, policy);
      reader.statements();
      if (reader.adminOnly) {
        return new Admin(family, "admin_only");
      }
      return reader.grants.isEmpty()
          ? new Refused(family, "no_query")
          : new Grants(family, reader.grants);
    } catch (Unfollowed e) {
      return new Refused(family, "unreadable_query");
    }
  }

  private Lexeme peek() {
    return at < lexemes.size() ? lexemes.get(at) : END;
  }

  private Lexeme next() {
    Lexeme lexeme = peek();
    at++;
    return lexeme;
  }

  private void statements() throws Unfollowed {
    for (int count = 0; peek().kind() != Kind.END; count++) {
      if (count == MAX_STATEMENTS) {
        throw new Unfollowed();
      }
      if (peek().isSign(';')) {
        next();
        continue;
      }
      statement();
      if (peek().kind() != Kind.END && !next().isSign(';')) {
        throw new Unfollowed();
      }
    }
  }

  private void statement() throws Unfollowed {
    Lexeme first = next();
    if (first.isWord("select")) {
      select(0);
    } else if (first.isWord("explain")) {
      if (peek().isWord("analyze")) {
        next();
      }
      if (!next().isWord("select")) {
        throw new Unfollowed();
      }
      select(0);
    } else if (first.isWord("show")) {
      show();
    } else if (first.kind() == Kind.WORD) {
      adminOnly = true;
      while (peek().kind() != Kind.END && !peek().isSign(';')) {
        next();
      }
    } else {
      throw new Unfollowed();
    }
  }

  /** After {@code SELECT}: up to the end, or to the parenthesis that closes it as a source. */
  private void select(int depth) throws Unfollowed {
    if (depth > MAX_DEPTH) {
      throw new Unfollowed();
    }
    fields();
    if (peek().isWord("into")) {
      next();
      measurement(true);
    }
    if (!next().isWord("from")) {
      throw new Unfollowed();
    }
    sources(depth);
    clauses(CLAUSES);
  }

  private void fields() throws Unfollowed {
    int open = 0;
    while (true) {
      Lexeme lexeme = peek();
      if (open == 0 && (lexeme.isWord("from") || lexeme.isWord("into"))) {
        return;
      }
      if (endsStatement(lexeme) || beginsSelect(lexeme)) {
        throw new Unfollowed();
      }
      if (lexeme.isSign('(')) {
        open++;
      } else if (lexeme.isSign(')')) {
        open--;
        if (open < 0) {
          throw new Unfollowed();
        }
      }
      next();
    }
  }

  /** What follows the sources; it names no more of them. */
  private void clauses(Set<String> first) throws Unfollowed {
    if (!endsStatement(peek()) && !peek().isSign(')') && !peek().isAnyOf(first)) {
      throw new Unfollowed();
    }
    int open = 0;
    while (!endsStatement(peek())) {
      Lexeme lexeme = peek();
      if (beginsSelect(lexeme)) {
        throw new Unfollowed();
      }
      if (lexeme.isSign('(')) {
        open++;
      } else if (lexeme.isSign(')')) {
        if (open == 0) {
          return;
        }
        open--;
      }
      next();
    }
    if (open != 0) {
      throw new Unfollowed();
    }
  }

  private static boolean beginsSelect(Lexeme lexeme) {
    return lexeme.isWord("select") || lexeme.isWord("from") || lexeme.isWord("into");
  }

  private static boolean endsStatement(Lexeme lexeme) {
    return lexeme.kind() == Kind.END || lexeme.isSign(';');
  }

  private void sources(int depth) throws Unfollowed {
    do {
      if (peek().isSign('(')) {
        next();
        if (!next().isWord("select")) {
          throw new Unfollowed();
        }
        select(depth + 1);
        if (!next().isSign(')')) {
          throw new Unfollowed();
        }
      } else {
        measurement(false);
      }
    } while (comma());
  }

  private boolean comma() {
    if (peek().isSign(',')) {
      next();
      return true;
    }
    return false;
  }

  /**
   * {@code m}, {@code rp.m}, {@code db.rp.m} or {@code db..m}; the last part may be a regular
   * expression, or {@code :MEASUREMENT} as a target.
   */
  private void measurement(boolean written) throws Unfollowed {
    List<String> before = new ArrayList<>();
    while (true) {
      Lexeme lexeme = next();
      if (written && lexeme.isSign(':')) {
        if (!next().isWord("measurement")) {
          throw new Unfollowed();
        }
        break;
      }
      if (lexeme.kind() == Kind.REGEX && !written) {
        break;
      }
      if (lexeme.isSign('.') && before.size() == 1) {
        // db..m: the default policy.
        before.add("");
        continue;
      }
      if (!lexeme.isName()) {
        throw new Unfollowed();
      }
      if (!peek().isSign('.')) {
        break;
      }
      next();
      before.add(lexeme.text());
    }
    switch (before.size()) {
      case 0 -> {
        add(written, database, policy);
        add(written, database, null);
      }
      case 1 -> {
        add(written, database, before.get(0));
        add(written, database, null);
      }
      case 2 -> {
        add(written, before.get(0), before.get(1));
        if (before.get(1).isEmpty()) {
          add(written, before.get(0), policy);
        }
      }
      default -> throw new Unfollowed();
    }
  }

  /**
   * InfluxDB 3 takes no policy into account where no database is named, and every server the one of
   * the request where a database is named without: whichever of them acts, it must be allowed.
   */
  private void add(boolean written, @Nullable String named, @Nullable String namedPolicy)
      throws Unfollowed {
    Set<String> names = OriginalRequest.names(named, namedPolicy);
    if (names.isEmpty()) {
      throw new Unfollowed();
    }
    names.forEach(name -> grants.add(written ? Grant.write(name) : Grant.read(name)));
  }

  /** After {@code SHOW}. */
  private void show() throws Unfollowed {
    Lexeme what = next();
    if (what.isWord("databases")) {
      // It names all there are, and a gateway cannot filter the answer.
      grants.add(Grant.read("*"));
      if (!endsStatement(peek())) {
        throw new Unfollowed();
      }
      return;
    }
    if (what.kind() != Kind.WORD || !SHOWN_OF_ONE.contains(what.text().toLowerCase(Locale.ROOT))) {
      adminOnly = true;
      while (!endsStatement(peek())) {
        next();
      }
      return;
    }
    while (peek().kind() == Kind.WORD && !peek().isAnyOf(SHOW_CLAUSES)) {
      next();
    }
    InfluxQl sources = this;
    if (peek().isWord("on")) {
      next();
      Lexeme on = next();
      if (!on.isName() || peek().isSign('.')) {
        throw new Unfollowed();
      }
      add(false, on.text(), null);
      add(false, on.text(), policy);
      sources = new InfluxQl(lexemes, on.text(), policy);
    } else {
      // In 1.x some of it is of all policies, whichever is asked for.
      add(false, database, null);
      add(false, database, policy);
    }
    if (peek().isWord("from")) {
      sources.at = at + 1;
      // Nothing is nested in what is shown.
      sources.sources(MAX_DEPTH);
      at = sources.at;
      grants.addAll(sources.grants);
    }
    clauses(SHOW_CLAUSES);
  }

  private static List<Lexeme> lexemes(String query) throws Unfollowed {
    List<Lexeme> found = new ArrayList<>();
    int i = 0;
    while (i < query.length()) {
      char c = query.charAt(i);
      if (c == ' ' || c == '\t' || c == '\n') {
        i++;
      } else if (query.startsWith("--", i) || query.startsWith("/*", i)) {
        // Servers differ in what a comment is; none is needed to ask.
        throw new Unfollowed();
      } else if (c == '"' || c == '\'') {
        int end = closing(query, i, c);
        String inner = query.substring(i + 1, end);
        if (inner.indexOf('\\') >= 0 && c == '"') {
          // Escapes in a name are read in more than one way.
          throw new Unfollowed();
        }
        found.add(new Lexeme(c == '"' ? Kind.QUOTED : Kind.TEXT, inner));
        i = end + 1;
      } else if (c == '/' && !divides(found)) {
        int end = closing(query, i, '/');
        String regex = query.substring(i + 1, end);
        // Were it no regular expression to the server, it must not have hidden a source here.
        if (HIDDEN.matcher(regex).find()) {
          throw new Unfollowed();
        }
        found.add(new Lexeme(Kind.REGEX, regex));
        i = end + 1;
      } else if (isWordStart(c)) {
        int end = i + 1;
        while (end < query.length()
            && (isWordStart(query.charAt(end)) || isDigit(query.charAt(end)))) {
          end++;
        }
        found.add(new Lexeme(Kind.WORD, query.substring(i, end)));
        i = end;
      } else if (isDigit(c)) {
        Matcher number = NUMBER.matcher(query).region(i, query.length());
        if (!number.useTransparentBounds(true).lookingAt()) {
          throw new Unfollowed();
        }
        found.add(new Lexeme(Kind.NUMBER, number.group()));
        i = number.end();
      } else if ("(),;.:*+-/%&|^=!<>~".indexOf(c) >= 0) {
        found.add(new Lexeme(Kind.SIGN, String.valueOf(c)));
        i++;
      } else {
        // Also $: a bound parameter may stand for a name.
        throw new Unfollowed();
      }
    }
    return found;
  }

  /** The index of the sign that ends what begins at {@code from}; a backslash escapes one. */
  private static int closing(String query, int from, char sign) throws Unfollowed {
    for (int i = from + 1; i < query.length(); i++) {
      char c = query.charAt(i);
      if (c == '\\') {
        i++;
      } else if (c == '\n') {
        throw new Unfollowed();
      } else if (c == sign) {
        return i;
      }
    }
    throw new Unfollowed();
  }

  /**
   * Whether a slash divides, and does not begin a regular expression: the one after an operand, the
   * other where an operand or a source may stand. What is neither is not followed, since a reader
   * who takes it the other way finds other sources in the same text.
   */
  private static boolean divides(List<Lexeme> found) throws Unfollowed {
    Lexeme last = found.isEmpty() ? END : found.get(found.size() - 1);
    if (last.isName() || last.kind() == Kind.NUMBER || last.isSign(')')) {
      return true;
    }
    if (last.isSign('~')
        || last.isSign('.')
        || last.isSign(',')
        || last.isSign('(')
        || last.isWord("from")
        || last.isWord("by")
        || last.isWord("select")) {
      return false;
    }
    throw new Unfollowed();
  }

  private static boolean isWordStart(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  private static boolean isDigit(char c) {
    return c >= '0' && c <= '9';
  }
}
