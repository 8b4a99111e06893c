package io.tokenledger.sql;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a query came to.
 *
 * @param columns names in their order
 * @param rows values in the order of the columns: null, {@link Boolean}, {@link Long}, {@link
 *     java.math.BigDecimal}, {@link java.time.LocalDateTime} or {@link String}
 */
public record SqlResult(List<String> columns, List<List<@Nullable Object>> rows) {}
