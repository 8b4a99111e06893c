package io.tokenledger.sql;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
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
import net.sf.jsqlparser.expression.Function;
import net.sf.jsqlparser.expression.IntervalExpression;
import net.sf.jsqlparser.expression.JdbcParameter;
import net.sf.jsqlparser.expression.LongValue;
import net.sf.jsqlparser.expression.NotExpression;
import net.sf.jsqlparser.expression.NullValue;
import net.sf.jsqlparser.expression.SignedExpression;
import net.sf.jsqlparser.expression.StringValue;
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
 * was written out, the two texts differ, and the query is refused.
 */
final class SelectGate {

  /** Stands for a parameter in the text being written. */
  private static final char PARAMETER = '\ue000';

  private static final int MAX_CHARS = 100_000;
  private static final int MAX_DEPTH = 100;

  private static final Pattern IDENTIFIER = Pattern.compile("[A-Za-z_][A-Za-z0-9_]{0,62}");
  private static final Pattern QUOTED = Pattern.compile("\"[A-Za-z_][A-Za-z0-9_ ()*.]{0,62}\"");
  private static final Pattern PARAMETER_NAME = Pattern.compile("\\$[A-Za-z0-9_]{1,63}");

  /** A text as {@link #string} and the intervals write it. */
  private static final Pattern TEXT = Pattern.compile("'(?:[^']|'')*'");

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

  private final Set<String> relations;
  private final StringBuilder out = new StringBuilder();
  private final List<String> parameters = new ArrayList<>();
  private final Set<String> used = new HashSet<>();
  private int depth;

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

  private SelectGate(Set<String> relations) {
    this.relations = relations;
  }

  /**
   * Admits a query.
   *
   * @param relations what it may read, without the schema {@code system}
   * @param parsers runs the parser, which is given up when it takes too long
   * @throws SqlRefused saying what is not admitted
   */
  static Admitted admit(String sql, Set<String> relations, ExecutorService parsers) {
    if (sql.length() > MAX_CHARS) {
      throw new SqlRefused("the query must not be longer than " + MAX_CHARS + " characters");
    }
    if (sql.isBlank()) {
      throw new SqlRefused("the query is empty");
    }
    if (sql.indexOf('\0') >= 0 || sql.indexOf(PARAMETER) >= 0) {
      throw new SqlRefused("the query holds a character that no query needs");
    }
    Statement statement = parse(sql, parsers);
    if (!(statement instanceof Select select)) {
      throw new SqlRefused("only SELECT is admitted");
    }
    SelectGate gate = new SelectGate(relations);
    gate.select(select);
    gate.requireAllWasWritten(statement);
    return new Admitted(
        gate.out.toString().replace(PARAMETER, '?'),
        List.copyOf(gate.parameters),
        Set.copyOf(gate.used),
        TEXT.matcher(gate.named()).replaceAll("'*'"));
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
      String detail = e.getMessage() == null ? "it is not SQL" : firstLine(e.getMessage());
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
      } else {
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

  private static String bare(String sql) {
    return sql.replaceAll("\\s|;", "").toLowerCase(Locale.ROOT);
  }

  private static SqlRefused refused(String what) {
    return new SqlRefused(what + " is not admitted");
  }

  private static SqlRefused refused(Object node) {
    return refused(node.getClass().getSimpleName());
  }

  private void select(Select select) {
    if (++depth > MAX_DEPTH) {
      throw new SqlRefused("the query is nested too deeply");
    }
    if (select.getWithItemsList() != null) {
      throw refused("WITH");
    }
    if (select instanceof ParenthesedSelect parenthesed) {
      out.append('(');
      select(parenthesed.getSelect());
      out.append(')');
    } else if (select instanceof PlainSelect plain) {
      plain(plain);
    } else if (select instanceof SetOperationList list) {
      for (int i = 0; i < list.getSelects().size(); i++) {
        if (i > 0) {
          out.append(' ').append(setOperation(list, i - 1)).append(' ');
        }
        select(list.getSelects().get(i));
      }
    } else {
      throw refused(select);
    }
    orderBy(select.getOrderByElements());
    limit(select);
    depth--;
  }

  private static String setOperation(SetOperationList list, int index) {
    String operation = list.getOperations().get(index).toString().toUpperCase(Locale.ROOT);
    if (!Set.of("UNION", "UNION ALL", "EXCEPT", "INTERSECT").contains(operation)) {
      throw refused(operation);
    }
    return operation;
  }

  private void plain(PlainSelect plain) {
    out.append("SELECT ");
    if (plain.getDistinct() != null) {
      out.append("DISTINCT ");
    }
    separated(plain.getSelectItems(), this::item);
    if (plain.getFromItem() != null) {
      out.append(" FROM ");
      relation(plain.getFromItem());
      if (plain.getJoins() != null) {
        plain.getJoins().forEach(this::join);
      }
    }
    if (plain.getWhere() != null) {
      out.append(" WHERE ");
      expression(plain.getWhere());
    }
    if (plain.getGroupBy() != null) {
      out.append(" GROUP BY ");
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

  private void relation(FromItem from) {
    if (from instanceof Table table) {
      String name = table.getName().toLowerCase(Locale.ROOT);
      boolean known =
          "system".equalsIgnoreCase(table.getSchemaName())
              && table.getDatabaseName() == null
              && relations.contains(name);
      if (!known) {
        throw new SqlRefused(
            "table " + table.getFullyQualifiedName() + " is not admitted, known are " + known(),
            "system".equalsIgnoreCase(table.getSchemaName()) ? name : null);
      }
      used.add(name);
      out.append(table.getFullyQualifiedName());
      alias(table.getAlias());
    } else if (from instanceof ParenthesedSelect parenthesed) {
      select(parenthesed);
      alias(parenthesed.getAlias());
    } else {
      throw refused(from);
    }
  }

  private String known() {
    return relations.stream()
        .sorted()
        .map(name -> "system." + name)
        .collect(Collectors.joining(", "));
  }

  private void join(Join join) {
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
    relation(join.getFromItem());
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
      throw new SqlRefused("the query is nested too deeply");
    }
    if (node instanceof LikeExpression like) {
      like(like);
    } else if (node instanceof BinaryExpression binary && BINARY.contains(node.getClass())) {
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
