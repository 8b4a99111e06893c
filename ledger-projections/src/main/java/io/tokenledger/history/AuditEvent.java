package io.tokenledger.history;

/**
 * One event of the audit log with the bytes that the log hashed for it.
 *
 * @param entryText those bytes, UTF-8 text
 */
public record AuditEvent(AuditEntry entry, String entryText) {}
