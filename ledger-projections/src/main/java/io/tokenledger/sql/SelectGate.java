package io.tokenledger.sql;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import net.sf.jsqlparser.JSQLParserException;
import net.sf.jsqlparser.expression.Alias;
import net.sf.jsqlparser.expression.BinaryExpression;
import net.sf.jsqlparser.expression.BooleanValue;
import net.sf.jsqlparser.expression.CaseExpression;
import net.sf.jsqlparser.expression.CastExpression;
import net.sf.jsqlparser.expression.DoubleValue;
import net.sf.jsqlparser.expression.Expression;
import net.sf.jsqlparser.expression.ExtractExpression;
import net.sf.jsqlparser.expression.Function;
import net.sf.jsqlparser.expression.IntervalExpression;
import net.sf.jsqlparser.expression.JdbcParameter;
import net.sf.jsqlparser.expression.LongValue;
import net.sf.jsqlparser.expression.NotExpression;
import net.sf.jsqlparser.expression.NullValue;
import net.sf.jsqlparser.expression.SignedExpression;
import net.sf.jsqlparser.expression.StringValue;
import net.sf.jsqlparser.expression.TimeKeyExpression;
import net.sf.jsqlparser.expression.WhenClause;
import net.sf.jsqlparser.expression.operators.arithmetic.Addition;
import net.sf.jsqlparser.expression.operators.arithmetic.Concat;
import net.sf.jsqlparser.expression.operators.arithmetic.Division;
import net.sf.jsqlparser.expression.operators.arithmetic.Modulo;
import net.sf.jsqlparser.expression.operators.arithmetic.Multiplication;
import net.sf.jsqlparser.expression.operators.arithmetic.Subtraction;
import net.sf.jsqlparser.expression.operators.conditional.AndExpression;
import net.sf.jsqlparser.expression.operators.conditional.OrExpression;
import net.sf.jsqlparser.expression.operators.relational.Between;
import net.sf.jsqlparser.expression.operators.relational.EqualsTo;
import net.sf.jsqlparser.expression.operators.relational.ExistsExpression;
import net.sf.jsqlparser.expression.operators.relational.ExpressionList;
import net.sf.jsqlparser.expression.operators.relational.GreaterThan;
import net.sf.jsqlparser.expression.operators.relational.GreaterThanEquals;
import net.sf.jsqlparser.expression.operators.relational.InExpression;
import net.sf.jsqlparser.expression.operators.relational.IsNullExpression;
import net.sf.jsqlparser.expression.operators.relational.LikeExpression;
import net.sf.jsqlparser.expression.operators.relational.MinorThan;
import net.sf.jsqlparser.expression.operators.relational.MinorThanEquals;
import net.sf.jsqlparser.expression.operators.relational.NotEqualsTo;
import net.sf.jsqlparser.expression.operators.relational.ParenthesedExpressionList;
import net.sf.jsqlparser.parser.CCJSqlParserUtil;
import net.sf.jsqlparser.schema.Column;
import net.sf.jsqlparser.schema.Table;
import net.sf.jsqlparser.statement.Statement;
import net.sf.jsqlparser.statement.Statements;
import net.sf.jsqlparser.statement.select.AllColumns;
import net.sf.jsqlparser.statement.select.AllTableColumns;
import net.sf.jsqlparser.statement.select.FromItem;
import net.sf.jsqlparser.statement.select.Join;
import net.sf.jsqlparser.statement.select.Limit;
import net.sf.jsqlparser.statement.select.OrderByElement;
import net.sf.jsqlparser.statement.select.ParenthesedSelect;
import net.sf.jsqlparser.statement.select.PlainSelect;
import net.sf.jsqlparser.statement.select.Select;
import net.sf.jsqlparser.statement.select.SelectItem;
import net.sf.jsqlparser.statement.select.SetOperationList;
import org.jspecify.annotations.Nullable;

/**
 * Admits one SELECT over the given relations. What is parsed is written out again, node by node,
 * from a list of known ones, and the result is what runs: a clause, operator or function that is
 * not on the list cannot reach the database, whatever it is. Where the parser understood more than
 * was written out, the two texts differ, and the query is refused. A name is written only where it
 * is known to be a column.
 */
final class SelectGate {

  /** Stands for a parameter in the text being written. */
  private static final char PARAMETER = '\ue000';

  /** Stands before and after a relation of which not every column is shown. */
  private static final char NARROWED = '\ue001';

  private static final int MAX_CHARS = 100_000;
  private static final int MAX_DEPTH = 100;

  /** More levels of parentheses than any query needs keep the parser busy for seconds. */
  private static final int MAX_PARENTHESES = 50;

  /** Each joining can at best double the longest text there is. */
  private static final int MAX_JOINED = 10;

  private static final Pattern IDENTIFIER = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,62}");
  private static final Pattern QUOTED = Pattern.compile("\"[A-Za-z_][A-Za-z0-9_ ()*.]{0,62}\"");
  private static final Pattern PARAMETER_NAME = Pattern.compile("\\$[A-Za-z0-9_]{1,63}");

  /** A text as {@link #string} and the intervals write it. */
  private static final Pattern TEXT = Pattern.compile("'(?:[^']|'')*'");

  private static final Pattern TIME_LITERAL =
      Pattern.compile("(?i)(TIMESTAMP|DATE) '[0-9TZ :.+-]{1,40}'");

  /** How the parser's messages begin. */
  private static final Pattern CLASS_NAME = Pattern.compile("\\b([a-z]+\\.){2,}[A-Za-z.$]+:? ?");

  private static final Pattern NUMBER = Pattern.compile("[0-9.]{1,40}([eE][+-]?[0-9]{1,3})?");

  /** None that reads a file, waits, locks, sets, or makes a long text of a short one. */
  private static final Set<String> FUNCTIONS =
      Set.of(
          "count",
          "sum",
          "min",
          "max",
          "avg",
          "bool_and",
          "bool_or",
          "every",
          "lower",
          "upper",
          "length",
          "char_length",
          "coalesce",
          "nullif",
          "greatest",
          "least",
          "substr",
          "substring",
          "left",
          "right",
          "ltrim",
          "rtrim",
          "btrim",
          "strpos",
          "split_part",
          "starts_with",
          "concat",
          "concat_ws",
          "abs",
          "round",
          "floor",
          "ceil",
          "now",
          "date_trunc",
          "date_part",
          "to_char");

  /** Words that look like columns and are functions. */
  private static final Set<String> KEYWORDS =
      Set.of(
          "current_user",
          "session_user",
          "user",
          "current_role",
          "current_catalog",
          "current_schema",
          "system_user");

  private static final Set<String> TYPES =
      Set.of(
          "text",
          "varchar",
          "bigint",
          "int",
          "integer",
          "numeric",
          "decimal",
          "double precision",
          "boolean",
          "date",
          "timestamp",
          "timestamptz");

  private static final Set<Class<?>> BINARY =
      Set.of(
          Addition.class,
          Subtraction.class,
          Multiplication.class,
          Division.class,
          Modulo.class,
          Concat.class,
          AndExpression.class,
          OrExpression.class,
          EqualsTo.class,
          NotEqualsTo.class,
          GreaterThan.class,
          GreaterThanEquals.class,
          MinorThan.class,
          MinorThanEquals.class);

  private static final Set<String> TIME_KEYS = Set.of("current_timestamp", "current_date");

  private static final Set<String> FIELDS =
      Set.of("year", "month", "day", "hour", "minute", "second", "epoch", "dow", "doy", "week");

  /** Their results are whole numbers. */
  private static final Set<String> INTEGER_FUNCTIONS = Set.of("length", "char_length", "strpos");

  private final Map<String, List<String>> relations;
  private final StringBuilder out = new StringBuilder();
  private final List<String> parameters = new ArrayList<>();
  private final Set<String> used = new HashSet<>();
  private final List<String> narrowed = new ArrayList<>();
  private Scope scope = new Scope(null);
  private int depth;
  private int joined;

  /**
   * A query that may run.
   *
   * @param sql with {@code ?} for each parameter
   * @param parameters their names in the order of their places, without the {@code $}
   * @param relations the relations it reads, without their schema
   * @param withoutTexts the query with {@code $name} for each parameter and {@code '*'} for each
   *     text: what may be kept of it, since a text may be about a person
   */
  record Admitted(
      String sql, List<String> parameters, Set<String> relations, String withoutTexts) {}

  private SelectGate(Map<String, List<String>> relations) {
    this.relations = relations;
  }

  /**
   * Admits a query.
   *
   * @param relations what it may read, without the schema {@code system}, and the columns of each
   * @param parsers runs the parser, which is given up when it takes too long
   * @throws SqlRefused saying what is not admitted
   */
  static Admitted admit(String sql, Map<String, List<String>> relations, ExecutorService parsers) {
    if (sql.length() > MAX_CHARS) {
      throw new SqlRefused("the query must not be longer than " + MAX_CHARS + " characters");
    }
    if (sql.isBlank()) {
      throw new SqlRefused("the query is empty");
    }
    if (sql.indexOf('\0') >= 0 || sql.indexOf(PARAMETER) >= 0 || sql.indexOf(NARROWED) >= 0) {
      throw new SqlRefused("the query holds a character that no query needs");
    }
    requireShallow(sql);
    Statement statement = parse(sql, parsers);
    if (!(statement instanceof Select select)) {
      throw new SqlRefused("only SELECT is admitted");
    }
    SelectGate gate = new SelectGate(relations);
    gate.select(select);
    gate.requireAllWasWritten(statement);
    return new Admitted(
        gate.runnable(),
        List.copyOf(gate.parameters),
        Set.copyOf(gate.used),
        TEXT.matcher(gate.named()).replaceAll("'*'"));
  }

  /** Counts parentheses outside of strings; what it takes for one inside a comment does no harm. */
  private static void requireShallow(String sql) {
    int open = 0;
    char quote = 0;
    for (int i = 0; i < sql.length(); i++) {
      char c = sql.charAt(i);
      if (quote != 0) {
        quote = c == quote ? 0 : quote;
      } else if (c == '\'' || c == '"') {
        quote = c;
      } else if (c == '(' && ++open > MAX_PARENTHESES) {
        throw tooDeep();
      } else if (c == ')') {
        open--;
      }
    }
  }

  private static SqlRefused tooDeep() {
    return new SqlRefused("the query is nested too deeply");
  }

  private static Statement parse(String sql, ExecutorService parsers) {
    try {
      Statements statements =
          CCJSqlParserUtil.parseStatements(
              CCJSqlParserUtil.newParser(sql).withAllowComplexParsing(true).withTimeOut(2_000),
              parsers);
      if (statements == null || statements.size() != 1) {
        throw new SqlRefused("exactly one statement is admitted");
      }
      return statements.get(0);
    } catch (JSQLParserException e) {
      String said = e.getMessage() == null ? "" : e.getMessage();
      String detail = firstLine(CLASS_NAME.matcher(said).replaceAll(""));
      throw new SqlRefused("the query cannot be parsed: " + detail);
    }
  }

  private static String firstLine(String text) {
    String line = text.strip().lines().findFirst().orElse("it is not SQL");
    return line.length() <= 200 ? line : line.substring(0, 200);
  }

  /** What was written, with the names of the parameters. */
  private String named() {
    StringBuilder shown = new StringBuilder();
    int next = 0;
    for (int i = 0; i < out.length(); i++) {
      if (out.charAt(i) == PARAMETER) {
        shown.append('$').append(parameters.get(next++));
      } else if (out.charAt(i) != NARROWED) {
        shown.append(out.charAt(i));
      }
    }
    return shown.toString();
  }

  private void requireAllWasWritten(Statement statement) {
    if (!bare(named()).equals(bare(statement.toString()))) {
      throw new SqlRefused("the query has a clause that is not admitted");
    }
  }

  /** The text for the database: each narrowed relation as a sub-select of what is shown. */
  private String runnable() {
    StringBuilder text = new StringBuilder();
    int next = 0;
    boolean hidden = false;
    for (int i = 0; i < out.length(); i++) {
      char c = out.charAt(i);
      if (c == NARROWED) {
        hidden = !hidden;
        if (hidden) {
          text.append(narrowed.get(next++));
        }
      } else if (!hidden) {
        text.append(c == PARAMETER ? '?' : c);
      }
    }
    return text.toString();
  }

  private static String bare(String sql) {
    return sql.replaceAll("\\s|;", "").toLowerCase(Locale.ROOT);
  }

  private static SqlRefused refused(String what) {
    return new SqlRefused(what + " is not admitted");
  }

  private static SqlRefused refused(Object node) {
    return refused(firstLine(node.toString()));
  }

  private void select(Select select) {
    if (++depth > MAX_DEPTH) {
      throw tooDeep();
    }
    if (select.getWithItemsList() != null) {
      throw refused("WITH");
    }
    Scope around = scope;
    if (select instanceof ParenthesedSelect parenthesed) {
      out.append('(');
      select(parenthesed.getSelect());
      out.append(')');
      scope = new Scope(around);
    } else if (select instanceof PlainSelect plain) {
      plain(plain);
    } else if (select instanceof SetOperationList list) {
      for (int i = 0; i < list.getSelects().size(); i++) {
        if (i > 0) {
          out.append(' ').append(setOperation(list, i - 1)).append(' ');
        }
        select(list.getSelects().get(i));
      }
      scope = new Scope(around);
    } else {
      throw refused(select);
    }
    scope.addOutputs(outputs(select));
    orderBy(select.getOrderByElements());
    limit(select);
    scope = around;
    depth--;
  }

  private static String setOperation(SetOperationList list, int index) {
    String operation = list.getOperations().get(index).toString().toUpperCase(Locale.ROOT);
    if (!Set.of("UNION", "UNION ALL", "EXCEPT", "INTERSECT").contains(operation)) {
      throw refused(operation);
    }
    return operation;
  }

  /** The names of a query's columns, as far as another part of the query may use them. */
  private List<String> outputs(Select select) {
    if (select instanceof ParenthesedSelect parenthesed) {
      return outputs(parenthesed.getSelect());
    }
    if (select instanceof SetOperationList list) {
      return outputs(list.getSelects().get(0));
    }
    if (!(select instanceof PlainSelect plain)) {
      return List.of();
    }
    List<String> names = new ArrayList<>();
    for (SelectItem<?> item : plain.getSelectItems()) {
      if (item.getAlias() != null) {
        names.add(Scope.folded(item.getAlias().getName()));
      } else if (item.getExpression() instanceof AllTableColumns all) {
        String qualifier = Scope.folded(all.getTable().getName());
        froms(plain).stream()
            .filter(from -> qualifier.equals(nameOf(from)))
            .forEach(from -> names.addAll(columnsOf(from)));
      } else if (item.getExpression() instanceof AllColumns) {
        froms(plain).forEach(from -> names.addAll(columnsOf(from)));
      } else if (item.getExpression() instanceof Column column) {
        names.add(Scope.folded(column.getColumnName()));
      } else if (item.getExpression() instanceof Function function) {
        names.add(Scope.folded(function.getName()));
      }
    }
    return names;
  }

  private static List<FromItem> froms(PlainSelect plain) {
    List<FromItem> all = new ArrayList<>();
    if (plain.getFromItem() != null) {
      all.add(plain.getFromItem());
    }
    if (plain.getJoins() != null) {
      plain.getJoins().forEach(join -> all.add(join.getFromItem()));
    }
    return all;
  }

  private static @Nullable String nameOf(FromItem from) {
    if (from.getAlias() != null) {
      return Scope.folded(from.getAlias().getName());
    }
    return from instanceof Table table ? Scope.folded(table.getName()) : null;
  }

  private List<String> columnsOf(FromItem from) {
    if (from instanceof Table table) {
      return relations.getOrDefault(Scope.folded(table.getName()), List.of());
    }
    return from instanceof ParenthesedSelect select ? outputs(select) : List.of();
  }

  /** Leaves {@link #scope} at what the query's own expressions see. */
  private void plain(PlainSelect plain) {
    Scope around = scope;
    Scope own = new Scope(around);
    froms(plain).forEach(from -> own.add(nameOf(from), columnsOf(from)));
    scope = own;
    out.append("SELECT ");
    if (plain.getDistinct() != null) {
      out.append("DISTINCT ");
    }
    separated(plain.getSelectItems(), this::item);
    if (plain.getFromItem() != null) {
      out.append(" FROM ");
      relation(plain.getFromItem(), around);
      if (plain.getJoins() != null) {
        plain.getJoins().forEach(join -> join(join, around));
      }
    }
    if (plain.getWhere() != null) {
      out.append(" WHERE ");
      expression(plain.getWhere());
    }
    if (plain.getGroupBy() != null) {
      out.append(" GROUP BY ");
      own.addOutputs(outputs(plain));
      separated(asExpressions(plain.getGroupBy().getGroupByExpressionList()), this::expression);
    }
    if (plain.getHaving() != null) {
      out.append(" HAVING ");
      expression(plain.getHaving());
    }
  }

  private static List<Expression> asExpressions(ExpressionList<?> list) {
    return list.stream().map(Expression.class::cast).toList();
  }

  private <T> void separated(List<T> elements, java.util.function.Consumer<T> write) {
    for (int i = 0; i < elements.size(); i++) {
      if (i > 0) {
        out.append(", ");
      }
      write.accept(elements.get(i));
    }
  }

  private void item(SelectItem<?> item) {
    if (item.getExpression() instanceof AllTableColumns all) {
      if (all.getTable().getSchemaName() != null
          || !scope.hasRelation(Scope.folded(all.getTable().getName()))) {
        throw refused(all.toString());
      }
      out.append(identifier(all.getTable().getName())).append(".*");
    } else if (item.getExpression() instanceof AllColumns) {
      out.append('*');
    } else {
      expression(item.getExpression());
    }
    alias(item.getAlias());
  }

  private void alias(@Nullable Alias alias) {
    if (alias != null) {
      out.append(alias.isUseAs() ? " AS " : " ").append(identifier(alias.getName()));
    }
  }

  /**
   * Writes what is read from.
   *
   * @param around what a sub-select there sees; not its neighbours
   */
  private void relation(FromItem from, Scope around) {
    if (from instanceof Table table) {
      String name = Scope.folded(String.valueOf(table.getName()));
      boolean known =
          table.getSchemaName() != null
              && Scope.folded(table.getSchemaName()).equals("system")
              && table.getDatabaseName() == null
              && relations.containsKey(name);
      if (!known) {
        throw new SqlRefused(
            "table " + table.getFullyQualifiedName() + " is not admitted, known are " + known(),
            "system".equalsIgnoreCase(table.getSchemaName()) ? name : null);
      }
      used.add(name);
      List<String> shown = relations.getOrDefault(name, List.of());
      boolean whole = shown.equals(SystemViews.ALL.get(name));
      if (!whole) {
        narrowed.add(
            "(SELECT "
                + String.join(", ", shown)
                + " FROM system."
                + name
                + ")"
                + (table.getAlias() == null ? " AS " + name : ""));
        out.append(NARROWED);
      }
      out.append(table.getFullyQualifiedName());
      if (!whole) {
        out.append(NARROWED);
      }
      alias(table.getAlias());
    } else if (from instanceof ParenthesedSelect parenthesed) {
      Scope own = scope;
      scope = around;
      select(parenthesed);
      scope = own;
      alias(parenthesed.getAlias());
    } else {
      throw refused(from);
    }
  }

  private String known() {
    return relations.keySet().stream()
        .sorted()
        .map(name -> "system." + name)
        .collect(Collectors.joining(", "));
  }

  private void join(Join join, Scope around) {
    if (join.isSimple()) {
      out.append(", ");
    } else {
      out.append(' ');
      if (join.isLeft()) {
        out.append("LEFT ");
      } else if (join.isRight()) {
        out.append("RIGHT ");
      } else if (join.isFull()) {
        out.append("FULL ");
      } else if (join.isCross()) {
        out.append("CROSS ");
      }
      if (join.isOuter()) {
        out.append("OUTER ");
      }
      if (join.isInner()) {
        out.append("INNER ");
      }
      out.append("JOIN ");
    }
    relation(join.getFromItem(), around);
    for (Expression on : join.getOnExpressions()) {
      out.append(" ON ");
      expression(on);
    }
    if (!join.getUsingColumns().isEmpty()) {
      out.append(" USING (");
      separated(join.getUsingColumns(), this::column);
      out.append(')');
    }
  }

  private void orderBy(@Nullable List<OrderByElement> elements) {
    if (elements == null) {
      return;
    }
    out.append(" ORDER BY ");
    separated(
        elements,
        element -> {
          expression(element.getExpression());
          if (!element.isAsc()) {
            out.append(" DESC");
          } else if (element.isAscDescPresent()) {
            out.append(" ASC");
          }
          if (element.getNullOrdering() != null) {
            out.append(
                element.getNullOrdering() == OrderByElement.NullOrdering.NULLS_FIRST
                    ? " NULLS FIRST"
                    : " NULLS LAST");
          }
        });
  }

  private void limit(Select select) {
    Limit limit = select.getLimit();
    if (limit != null) {
      out.append(" LIMIT ");
      if (limit.getRowCount() == null) {
        throw refused("this LIMIT");
      }
      expression(limit.getRowCount());
    }
    if (select.getOffset() != null) {
      out.append(" OFFSET ");
      expression(select.getOffset().getOffset());
    }
  }

  private void expression(Expression node) {
    if (++depth > MAX_DEPTH) {
      throw tooDeep();
    }
    if (node instanceof LikeExpression like) {
      like(like);
    } else if (node instanceof BinaryExpression binary && BINARY.contains(node.getClass())) {
      if (binary instanceof Concat) {
        countJoined(1);
      }
      expression(binary.getLeftExpression());
      out.append(' ').append(operator(binary)).append(' ');
      expression(binary.getRightExpression());
    } else if (node instanceof Column column) {
      column(column);
    } else if (node instanceof JdbcParameter && PARAMETER_NAME.matcher(node.toString()).matches()) {
      parameter(node.toString());
    } else if (node instanceof StringValue text) {
      string(text);
    } else if (node instanceof LongValue || node instanceof DoubleValue) {
      number(node.toString());
    } else if (node instanceof NullValue) {
      out.append("NULL");
    } else if (node instanceof BooleanValue) {
      out.append(node.toString());
    } else if (node instanceof SignedExpression signed
        && (signed.getSign() == '-' || signed.getSign() == '+')) {
      out.append(signed.getSign());
      expression(signed.getExpression());
    } else if (node instanceof Function function) {
      function(function);
    } else if (node instanceof ParenthesedExpressionList<?> list) {
      out.append('(');
      separated(asExpressions(list), this::expression);
      out.append(')');
    } else if (node instanceof Select subselect) {
      select(subselect);
    } else {
      predicate(node);
    }
    depth--;
  }

  private void predicate(Expression node) {
    if (node instanceof NotExpression not && !not.isExclamationMark()) {
      out.append("NOT ");
      expression(not.getExpression());
    } else if (node instanceof IsNullExpression is) {
      expression(is.getLeftExpression());
      out.append(is.isNot() ? " IS NOT NULL" : " IS NULL");
    } else if (node instanceof InExpression in) {
      expression(in.getLeftExpression());
      out.append(in.isNot() ? " NOT IN " : " IN ");
      expression(in.getRightExpression());
    } else if (node instanceof Between between) {
      expression(between.getLeftExpression());
      out.append(between.isNot() ? " NOT BETWEEN " : " BETWEEN ");
      expression(between.getBetweenExpressionStart());
      out.append(" AND ");
      expression(between.getBetweenExpressionEnd());
    } else if (node instanceof ExistsExpression exists) {
      out.append(exists.isNot() ? "NOT EXISTS " : "EXISTS ");
      expression(exists.getRightExpression());
    } else if (node instanceof CaseExpression choice) {
      choice(choice);
    } else if (node instanceof CastExpression cast) {
      cast(cast);
    } else if (node instanceof IntervalExpression interval
        && interval.getExpression() == null
        && interval.getIntervalType() == null) {
      String text = interval.getParameter();
      if (!text.matches("'[0-9a-z :.]{1,60}'")) {
        throw refused("this INTERVAL");
      }
      out.append("INTERVAL ").append(text);
    } else if (node instanceof TimeKeyExpression key) {
      if (!TIME_KEYS.contains(key.toString().toLowerCase(Locale.ROOT))) {
        throw refused(key.toString());
      }
      out.append(key);
    } else if (node instanceof ExtractExpression extract) {
      if (!FIELDS.contains(extract.getName().toLowerCase(Locale.ROOT))) {
        throw refused("EXTRACT of " + extract.getName());
      }
      out.append("EXTRACT(").append(extract.getName()).append(" FROM ");
      expression(extract.getExpression());
      out.append(')');
    } else {
      throw refused(node);
    }
  }

  private static String operator(BinaryExpression binary) {
    String operator = binary.getStringExpression();
    if (!operator.matches("[-+*/%=<>!|]{1,2}|AND|OR")) {
      throw refused("operator " + operator);
    }
    return operator;
  }

  private void like(LikeExpression like) {
    LikeExpression.KeyWord word = like.getLikeKeyWord();
    if (word != LikeExpression.KeyWord.LIKE && word != LikeExpression.KeyWord.ILIKE) {
      throw refused(word.toString());
    }
    expression(like.getLeftExpression());
    out.append(like.isNot() ? " NOT " : " ").append(word).append(' ');
    expression(like.getRightExpression());
    if (like.getEscape() != null) {
      out.append(" ESCAPE ");
      expression(like.getEscape());
    }
  }

  private void column(Column column) {
    String name = column.getColumnName();
    if (column.getTable() == null && PARAMETER_NAME.matcher(name).matches()) {
      parameter(name);
      return;
    }
    if (KEYWORDS.contains(name.toLowerCase(Locale.ROOT))) {
      throw refused(name);
    }
    String qualifier =
        column.getTable() == null || column.getTable().getName() == null
            ? null
            : Scope.folded(column.getTable().getName());
    if (!scope.has(qualifier, Scope.folded(name))) {
      throw new SqlRefused("column " + column + " does not exist");
    }
    if (column.getTable() != null && column.getTable().getName() != null) {
      if (column.getTable().getSchemaName() != null) {
        if (!"system".equalsIgnoreCase(column.getTable().getSchemaName())) {
          throw refused("schema " + column.getTable().getSchemaName());
        }
        out.append("system.");
      }
      out.append(identifier(column.getTable().getName())).append('.');
    }
    out.append(identifier(name));
  }

  private void parameter(String name) {
    out.append(PARAMETER);
    parameters.add(name.substring(1));
  }

  private static String identifier(String name) {
    if (!IDENTIFIER.matcher(name).matches() && !QUOTED.matcher(name).matches()) {
      throw refused("name " + name);
    }
    return name;
  }

  private void string(StringValue text) {
    if (text.getPrefix() != null) {
      throw refused("a string with a prefix");
    }
    // Both the doubling of quotes and the absence of escapes are PostgreSQL's standard strings.
    String value = text.getValue();
    if (value.replace("''", "").contains("'") || !text.toString().equals("'" + value + "'")) {
      throw refused("this string");
    }
    out.append('\'').append(value).append('\'');
  }

  private void number(String text) {
    if (!NUMBER.matcher(text).matches()) {
      throw refused("number " + text);
    }
    out.append(text);
  }

  private void function(Function function) {
    String name = function.getName().toLowerCase(Locale.ROOT);
    if (!FUNCTIONS.contains(name)) {
      throw refused("function " + function.getName());
    }
    ExpressionList<?> given = function.getParameters();
    if (name.startsWith("concat") && given != null) {
      countJoined(given.size());
    }
    if (name.equals("substring")
        && given != null
        && !asExpressions(given).stream().skip(1).allMatch(SelectGate::isInteger)) {
      throw refused("substring by a pattern");
    }
    out.append(function.getName()).append('(');
    if (function.isDistinct()) {
      out.append("DISTINCT ");
    }
    if (function.getParameters() != null) {
      separated(
          asExpressions(function.getParameters()),
          parameter -> {
            if (parameter instanceof AllColumns && !(parameter instanceof AllTableColumns)) {
              out.append('*');
            } else {
              expression(parameter);
            }
          });
    }
    out.append(')');
  }

  /** A text of a text doubled again and again would fill the memory of the database. */
  private void countJoined(int texts) {
    joined += texts;
    if (joined > MAX_JOINED) {
      throw new SqlRefused("the query must not join texts more than " + MAX_JOINED + " times");
    }
  }

  /** Whether that is certainly a whole number: with a text, {@code substring} takes a pattern. */
  private static boolean isInteger(Expression node) {
    if (node instanceof LongValue) {
      return true;
    }
    if (node instanceof SignedExpression signed) {
      return isInteger(signed.getExpression());
    }
    if (node instanceof Addition || node instanceof Subtraction) {
      BinaryExpression binary = (BinaryExpression) node;
      return isInteger(binary.getLeftExpression()) && isInteger(binary.getRightExpression());
    }
    return node instanceof Function function
        && INTEGER_FUNCTIONS.contains(function.getName().toLowerCase(Locale.ROOT));
  }

  private void choice(CaseExpression choice) {
    out.append("CASE ");
    if (choice.getSwitchExpression() != null) {
      expression(choice.getSwitchExpression());
      out.append(' ');
    }
    for (WhenClause when : choice.getWhenClauses()) {
      out.append("WHEN ");
      expression(when.getWhenExpression());
      out.append(" THEN ");
      expression(when.getThenExpression());
      out.append(' ');
    }
    if (choice.getElseExpression() != null) {
      out.append("ELSE ");
      expression(choice.getElseExpression());
      out.append(' ');
    }
    out.append("END");
  }

  private void cast(CastExpression cast) {
    if (cast.isImplicitCast()) {
      String literal = cast.toString();
      if (!TIME_LITERAL.matcher(literal).matches()) {
        throw refused(literal);
      }
      out.append(literal);
      return;
    }
    String type = String.valueOf(cast.getColDataType()).toLowerCase(Locale.ROOT);
    if (!TYPES.contains(type)) {
      throw refused("type " + cast.getColDataType());
    }
    if ("CAST".equalsIgnoreCase(cast.keyword)) {
      out.append("CAST(");
      expression(cast.getLeftExpression());
      out.append(" AS ").append(type).append(')');
    } else {
      expression(cast.getLeftExpression());
      out.append("::").append(type);
    }
  }
}
