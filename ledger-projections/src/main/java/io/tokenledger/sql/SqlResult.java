package io.tokenledger.sql;

import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What a query came to.
 *
 * @param columns names in their order
 * @param rows values in the order of the columns: null, {@link Boolean}, {@link Long}, {@link
 *     java.math.BigDecimal}, {@link java.time.LocalDateTime} or {@link String}
 * @param relations the views that were read, without their schema
 * @param query what ran, with {@code '*'} for every text in it, for the audit
 */
public record SqlResult(
    List<String> columns, List<List<@Nullable Object>> rows, Set<String> relations, String query) {}
