-- What every token was at every instant, and what the audit is searched by beyond names.

CREATE TABLE views.token_history (
  token_id           bigint NOT NULL,
  from_leaf          bigint NOT NULL,
  to_leaf            bigint,
  valid_from         timestamptz NOT NULL,
  valid_to           timestamptz,
  event_type         text NOT NULL,
  actor_name         text NOT NULL,
  actor_token_id     bigint,
  token_name         text NOT NULL,
  kind               text NOT NULL CHECK (kind IN ('operator', 'admin', 'resource')),
  permissions        text[] NOT NULL,
  secret_hash_prefix text NOT NULL,
  grace_hash_prefix  text,
  grace_ends_at      timestamptz,
  created_at         timestamptz NOT NULL,
  expires_at         timestamptz,
  suspended_at       timestamptz,
  revoked_at         timestamptz,
  PRIMARY KEY (token_id, from_leaf),
  CHECK (to_leaf > from_leaf),
  CHECK (valid_to >= valid_from)
);
CREATE INDEX token_history_name_idx ON views.token_history (token_name, from_leaf);
COMMENT ON TABLE views.token_history IS 'What every token was, a row for each event of its life: valid from that event until the next, in leaves and in time.';
COMMENT ON COLUMN views.token_history.token_id IS 'The id.';
COMMENT ON COLUMN views.token_history.from_leaf IS 'The event that made it so.';
COMMENT ON COLUMN views.token_history.to_leaf IS 'The event that made it otherwise; null while there is none.';
COMMENT ON COLUMN views.token_history.valid_from IS 'The latest occurred_at in the stream of the name up to that event: clocks of nodes differ, the order in a stream does not.';
COMMENT ON COLUMN views.token_history.valid_to IS 'valid_from of the next row; null while there is none. Equal to valid_from when it never was so at any instant.';
COMMENT ON COLUMN views.token_history.event_type IS 'Stable name of that event.';
COMMENT ON COLUMN views.token_history.actor_name IS 'Name of the token that did it, else anonymous or system.';
COMMENT ON COLUMN views.token_history.actor_token_id IS 'Id of the token that did it; null for others.';
COMMENT ON COLUMN views.token_history.token_name IS 'The name it bears or bore.';
COMMENT ON COLUMN views.token_history.kind IS 'operator, admin or resource.';
COMMENT ON COLUMN views.token_history.permissions IS 'Canonical text forms; *:*:* alone for an admin.';
COMMENT ON COLUMN views.token_history.secret_hash_prefix IS 'First 9 hexadecimal digits of the SHA-512 of the current secret.';
COMMENT ON COLUMN views.token_history.grace_hash_prefix IS 'The same of the secret before it, when the last change of secret let it live on; else null.';
COMMENT ON COLUMN views.token_history.grace_ends_at IS 'First instant at which that one is no longer valid.';
COMMENT ON COLUMN views.token_history.created_at IS 'Creation of the token.';
COMMENT ON COLUMN views.token_history.expires_at IS 'First instant at which it is no longer valid; null for never.';
COMMENT ON COLUMN views.token_history.suspended_at IS 'Since when it is suspended; null while it is not.';
COMMENT ON COLUMN views.token_history.revoked_at IS 'When it was revoked; null while it is not.';

CREATE TABLE views.audit_log_span (
  span     bigint PRIMARY KEY,
  first_at timestamptz NOT NULL,
  last_at  timestamptz NOT NULL
);
COMMENT ON TABLE views.audit_log_span IS 'The earliest and latest occurred_at of each 1,024 leaves. Leaf order is nearly the order of time and must not be taken for it: a period is found by these.';
COMMENT ON COLUMN views.audit_log_span.span IS 'leaf_index / 1024.';
COMMENT ON COLUMN views.audit_log_span.first_at IS 'The earliest in it.';
COMMENT ON COLUMN views.audit_log_span.last_at IS 'The latest in it.';

-- Made again from the first leaf on, now with what ties requests together.
TRUNCATE views.audit_log;
DELETE FROM views.follower WHERE name = 'audit_log';
ALTER TABLE views.audit_log ADD COLUMN correlation_id text;
COMMENT ON COLUMN views.audit_log.correlation_id IS 'What the caller gave to tie several requests together; null when nothing.';
CREATE INDEX audit_log_outcome_idx ON views.audit_log (outcome, leaf_index) WHERE outcome <> 'success';
CREATE INDEX audit_log_type_idx ON views.audit_log (event_type, leaf_index);
CREATE INDEX audit_log_actor_token_idx ON views.audit_log (actor_token_id, leaf_index) WHERE actor_token_id IS NOT NULL;
CREATE INDEX audit_log_request_idx ON views.audit_log (request_id);
CREATE INDEX audit_log_correlation_idx ON views.audit_log (correlation_id) WHERE correlation_id IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON views.token_history, views.audit_log_span TO ${app};
