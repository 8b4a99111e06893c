/**
 * The transparency log: an RFC 6962 Merkle tree over entries, its proofs, and the C2SP formats in
 * which it is shown to others (signed notes, checkpoints, tiles, {@code .tlog-proof} files,
 * cosignatures, policies).
 *
 * <p>Pure: what is read from where is the caller's business, who implements {@link
 * io.tokenledger.tlog.NodeReader}. Formats are those of {@code C2SP/C2SP} as of 2026-07: {@code
 * signed-note}, {@code tlog-checkpoint}, {@code tlog-tiles}, {@code tlog-proof}, {@code
 * tlog-cosignature}, {@code tlog-policy}.
 */
@NullMarked
package io.tokenledger.tlog;

import org.jspecify.annotations.NullMarked;
