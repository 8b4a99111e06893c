-- What a token's life between creation and revocation needs: suspension, rotation with a grace
-- period, lists with who did it, use, stored answers, and the views for SQL.

ALTER TABLE views.token_lookup ADD COLUMN suspended_at_ms bigint;
ALTER TABLE rebuild.token_lookup ADD COLUMN suspended_at_ms bigint;
COMMENT ON COLUMN views.token_lookup.suspended_at_ms IS 'Since when the token is suspended; null while it is not.';
COMMENT ON COLUMN views.token_lookup.superseded_at_ms IS 'First millisecond at which this secret is no longer valid because another replaced it, in the future while a grace period lasts; null while it is the current one.';

CREATE TABLE views.token (
  token_id            bigint PRIMARY KEY,
  token_name          text NOT NULL,
  kind                text NOT NULL CHECK (kind IN ('operator', 'admin', 'resource')),
  permissions         text[] NOT NULL,
  secret_hash         bytea NOT NULL CHECK (octet_length(secret_hash) = 64),
  description         text,
  created_at          timestamptz NOT NULL,
  created_by          text NOT NULL,
  created_by_token_id bigint,
  updated_at          timestamptz,
  updated_by          text,
  updated_by_token_id bigint,
  expires_at          timestamptz,
  expiry_set_at       timestamptz NOT NULL,
  announced_days      int,
  expiry_recorded     boolean NOT NULL DEFAULT false,
  suspended_at        timestamptz,
  revoked_at          timestamptz,
  revoked_by          text,
  revoked_by_token_id bigint,
  last_leaf_index     bigint NOT NULL
);
CREATE INDEX token_name_idx ON views.token (token_name, token_id);
CREATE INDEX token_created_by_idx ON views.token (created_by_token_id, token_id);
CREATE INDEX token_expires_idx ON views.token (expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;
COMMENT ON TABLE views.token IS 'Every token there is or was, with who made, changed and revoked it. Follows the dense order; nothing is authorized by it.';
COMMENT ON COLUMN views.token.token_id IS 'The id.';
COMMENT ON COLUMN views.token.token_name IS 'The name it bears or bore.';
COMMENT ON COLUMN views.token.kind IS 'operator, admin or resource.';
COMMENT ON COLUMN views.token.permissions IS 'Canonical text forms; *:*:* alone for an admin.';
COMMENT ON COLUMN views.token.secret_hash IS 'SHA-512 of the current secret.';
COMMENT ON COLUMN views.token.description IS 'Words about it; null for none.';
COMMENT ON COLUMN views.token.created_at IS 'Creation.';
COMMENT ON COLUMN views.token.created_by IS 'Name of the token that made it, else anonymous or system.';
COMMENT ON COLUMN views.token.created_by_token_id IS 'Id of the token that made it; null for others.';
COMMENT ON COLUMN views.token.updated_at IS 'Last change by someone; null for none.';
COMMENT ON COLUMN views.token.updated_by IS 'Who changed it last, as created_by.';
COMMENT ON COLUMN views.token.updated_by_token_id IS 'Who changed it last, as created_by_token_id.';
COMMENT ON COLUMN views.token.expires_at IS 'First instant at which it is no longer valid; null for never.';
COMMENT ON COLUMN views.token.expiry_set_at IS 'When that expiry was set: creation or last change of it.';
COMMENT ON COLUMN views.token.announced_days IS 'The last notice given of this expiry, in days ahead; null for none.';
COMMENT ON COLUMN views.token.expiry_recorded IS 'Whether the passing of this expiry has its event.';
COMMENT ON COLUMN views.token.suspended_at IS 'Since when it is suspended; null while it is not.';
COMMENT ON COLUMN views.token.revoked_at IS 'When it was revoked; null while it is not.';
COMMENT ON COLUMN views.token.revoked_by IS 'Who revoked it, as created_by.';
COMMENT ON COLUMN views.token.revoked_by_token_id IS 'Who revoked it, as created_by_token_id.';
COMMENT ON COLUMN views.token.last_leaf_index IS 'The last leaf this row has seen.';

CREATE INDEX audit_log_target_id_idx ON views.audit_log (target_id, leaf_index);

CREATE TABLE state.token_usage (
  token_id     bigint PRIMARY KEY,
  last_used_at timestamptz NOT NULL
);
COMMENT ON TABLE state.token_usage IS 'When each token was last presented with success, to the minute. Sampled: a crash loses the last half minute.';
COMMENT ON COLUMN state.token_usage.token_id IS 'The token.';
COMMENT ON COLUMN state.token_usage.last_used_at IS 'Start of the minute.';

CREATE TABLE state.idempotent_answer (
  key_mac     bytea NOT NULL CHECK (octet_length(key_mac) = 32),
  request_mac bytea NOT NULL CHECK (octet_length(request_mac) = 32),
  token_id    bigint NOT NULL,
  sealed      bytea,
  stored_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT idempotent_answer_key PRIMARY KEY (key_mac)
);
CREATE INDEX idempotent_answer_stored_idx ON state.idempotent_answer (stored_at);
COMMENT ON TABLE state.idempotent_answer IS 'Answers that showed a secret, for a day, so that a retried request gets the same one. Written in the transaction of the event.';
COMMENT ON COLUMN state.idempotent_answer.key_mac IS 'MAC of the actor and the Idempotency-Key; the key itself is nowhere.';
COMMENT ON COLUMN state.idempotent_answer.request_mac IS 'MAC of route and body: another request under the same key is refused.';
COMMENT ON COLUMN state.idempotent_answer.token_id IS 'The token the answer is about.';
COMMENT ON COLUMN state.idempotent_answer.sealed IS 'The answer, AES-256-GCM under a key made of the ledger key, the caller''s secret and the Idempotency-Key; null when answers with secrets are not repeated.';
COMMENT ON COLUMN state.idempotent_answer.stored_at IS 'When it was stored; a day later it is deleted.';

CREATE FUNCTION system.zoneless(instant timestamptz) RETURNS timestamp
  LANGUAGE sql STABLE RETURN date_trunc('milliseconds', instant AT TIME ZONE 'UTC');
COMMENT ON FUNCTION system.zoneless IS 'UTC in milliseconds without a zone, as InfluxDB shows times.';

CREATE VIEW system.tokens AS
SELECT token_id,
       token_name                       AS name,
       left(encode(secret_hash, 'hex'), 9) AS hash,
       system.zoneless(created_at)      AS created_at,
       description,
       created_by_token_id,
       system.zoneless(updated_at)      AS updated_at,
       updated_by_token_id,
       system.zoneless(expires_at)      AS expiry,
       '["' || array_to_string(permissions, '", "') || '"]' AS permissions
  FROM views.token
 WHERE revoked_at IS NULL;
COMMENT ON VIEW system.tokens IS 'The tokens that are not revoked, with InfluxDB''s columns.';

CREATE VIEW system.token_history AS
SELECT token.token_id,
       token.token_name                  AS name,
       token.kind,
       CASE WHEN revoked_at IS NOT NULL THEN 'revoked'
            WHEN suspended_at IS NOT NULL THEN 'suspended'
            WHEN expires_at <= now() THEN 'expired'
            ELSE 'live' END              AS state,
       left(encode(secret_hash, 'hex'), 9) AS hash,
       system.zoneless(created_at)       AS created_at,
       created_by,
       created_by_token_id,
       description,
       system.zoneless(updated_at)       AS updated_at,
       updated_by,
       updated_by_token_id,
       system.zoneless(expires_at)       AS expiry,
       system.zoneless(suspended_at)     AS suspended_at,
       system.zoneless(revoked_at)       AS revoked_at,
       revoked_by,
       revoked_by_token_id,
       system.zoneless(last_used_at)     AS last_used_at,
       '["' || array_to_string(permissions, '", "') || '"]' AS permissions
  FROM views.token            AS token
  LEFT JOIN state.token_usage AS usage ON usage.token_id = token.token_id;
COMMENT ON VIEW system.token_history IS 'Every token that ever was, also revoked ones, and by whom.';

CREATE VIEW system.audit_log AS
SELECT leaf_index,
       system.zoneless(occurred_at) AS time,
       event_type,
       action,
       outcome,
       outcome_reason,
       actor_type,
       actor_token_id,
       actor_name,
       target_id,
       target_name,
       request_id,
       request_count
  FROM views.audit_log;
COMMENT ON VIEW system.audit_log IS 'The audit log without what is personal and sealed; /api/v1/audit/events opens that.';

GRANT SELECT, INSERT, UPDATE, DELETE ON views.token TO ${app};
GRANT SELECT, INSERT, UPDATE ON state.token_usage TO ${app};
GRANT SELECT, INSERT, DELETE ON state.idempotent_answer TO ${app};
GRANT USAGE ON SCHEMA system TO ${sql};
GRANT SELECT ON system.tokens, system.token_history, system.audit_log TO ${sql};
GRANT EXECUTE ON FUNCTION system.zoneless TO ${sql};
