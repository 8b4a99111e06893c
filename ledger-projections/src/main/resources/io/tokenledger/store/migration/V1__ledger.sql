-- The whole schema, made by the owner; ${app} is the role the nodes work as.

CREATE SCHEMA ledger;
COMMENT ON SCHEMA ledger IS 'The events: what happened, append-only. Never dropped.';
CREATE SCHEMA views;
COMMENT ON SCHEMA views IS 'Projections: everything here can be rebuilt from the events.';
CREATE SCHEMA rebuild;
COMMENT ON SCHEMA rebuild IS 'Scratch copies of projections while a replay builds and compares them.';
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'The dense order of the events.';
CREATE SCHEMA system;
COMMENT ON SCHEMA system IS 'Read-only views for SQL.';
CREATE SCHEMA state;
COMMENT ON SCHEMA state IS 'What is neither event nor projection: salts and key checks. Backed up.';

CREATE TABLE ledger.event (
  global_index    bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  event_id        text NOT NULL CONSTRAINT event_id_key UNIQUE,
  aggregate_id    text NOT NULL,
  sequence_number bigint NOT NULL CHECK (sequence_number >= 0),
  aggregate_type  text NOT NULL,
  event_type      text NOT NULL,
  revision        text NOT NULL,
  occurred_at     text NOT NULL,
  payload         text NOT NULL,
  metadata        text NOT NULL,
  mac             bytea NOT NULL CHECK (octet_length(mac) = 32),
  recorded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT event_stream_sequence_key UNIQUE (aggregate_id, sequence_number)
);
COMMENT ON TABLE ledger.event IS 'One row an event. The application may INSERT and SELECT, nothing else.';
COMMENT ON COLUMN ledger.event.global_index IS 'Order of insertion. Not of commit: a follower reads audit.leaf instead.';
COMMENT ON COLUMN ledger.event.event_id IS 'UUID version 7.';
COMMENT ON COLUMN ledger.event.aggregate_id IS 'The stream: token:NAME, or request:EVENT_ID for a request that changed nothing.';
COMMENT ON COLUMN ledger.event.sequence_number IS 'Position in the stream, from 0 without a gap. Unique with the stream: two racing commands cannot both win.';
COMMENT ON COLUMN ledger.event.aggregate_type IS 'Token or Request.';
COMMENT ON COLUMN ledger.event.event_type IS 'Stable name from the event catalogue, never a class name.';
COMMENT ON COLUMN ledger.event.revision IS 'Revision of the payload of that type.';
COMMENT ON COLUMN ledger.event.occurred_at IS 'When the handler applied it, ISO 8601 in UTC, as text because that is what Axon compares.';
COMMENT ON COLUMN ledger.event.payload IS 'What happened, JSON, exactly as it was signed.';
COMMENT ON COLUMN ledger.event.metadata IS 'The envelope: who, from where, why; JSON with personal fields sealed, exactly as it was signed.';
COMMENT ON COLUMN ledger.event.mac IS 'HMAC-SHA256 under the ledger key over the columns before it: a row that no node wrote has no valid one.';
COMMENT ON COLUMN ledger.event.recorded_at IS 'The clock of the database at the insert.';

CREATE SEQUENCE ledger.token_id AS bigint START 1 CACHE 1;
COMMENT ON SEQUENCE ledger.token_id IS 'The next token id. 0 is the operator''s; none is ever used twice.';

CREATE TABLE state.event_salt (
  event_id      text PRIMARY KEY,
  payload_salt  bytea NOT NULL CHECK (octet_length(payload_salt) = 32),
  metadata_salt bytea NOT NULL CHECK (octet_length(metadata_salt) = 32)
);
COMMENT ON TABLE state.event_salt IS 'Two random salts an event, written with it, for commitments that reveal nothing once the salt is gone.';
COMMENT ON COLUMN state.event_salt.event_id IS 'ledger.event.event_id.';
COMMENT ON COLUMN state.event_salt.payload_salt IS '32 random bytes for the commitment to the payload.';
COMMENT ON COLUMN state.event_salt.metadata_salt IS '32 random bytes for the commitment to the metadata.';

CREATE TABLE state.key_check (
  key_name    text PRIMARY KEY,
  check_value bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE state.key_check IS 'Tells a node that it holds another key than the one this ledger was begun with.';
COMMENT ON COLUMN state.key_check.key_name IS 'Which key: ledger.';
COMMENT ON COLUMN state.key_check.check_value IS 'HMAC-SHA256 of a fixed text under the key.';
COMMENT ON COLUMN state.key_check.created_at IS 'When the first node wrote it.';

CREATE TABLE views.token_lookup (
  secret_hash      bytea NOT NULL CHECK (octet_length(secret_hash) = 64),
  token_id         bigint NOT NULL,
  token_name       text NOT NULL,
  kind             text NOT NULL CHECK (kind IN ('operator', 'admin', 'resource')),
  permissions      text[] NOT NULL CHECK (cardinality(permissions) > 0),
  created_at_ms    bigint NOT NULL,
  expires_at_ms    bigint,
  revoked_at_ms    bigint,
  superseded_at_ms bigint,
  last_sequence    bigint NOT NULL,
  changed_xid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
  CONSTRAINT token_lookup_secret_hash_key PRIMARY KEY (secret_hash)
);
CREATE INDEX token_lookup_name_idx ON views.token_lookup (token_name);
CREATE INDEX token_lookup_id_idx ON views.token_lookup (token_id);
COMMENT ON TABLE views.token_lookup IS 'The authorization lookup: what a secret may do. Written in the transaction of the event. A row is never removed, so that no secret is registered twice.';
COMMENT ON COLUMN views.token_lookup.secret_hash IS 'SHA-512 of the whole token string.';
COMMENT ON COLUMN views.token_lookup.token_id IS 'The id the token has kept since its creation.';
COMMENT ON COLUMN views.token_lookup.token_name IS 'The name it bears or bore.';
COMMENT ON COLUMN views.token_lookup.kind IS 'operator, admin or resource.';
COMMENT ON COLUMN views.token_lookup.permissions IS 'Canonical text forms; *:*:* alone for an admin.';
COMMENT ON COLUMN views.token_lookup.created_at_ms IS 'Creation of the token, milliseconds since 1970 UTC.';
COMMENT ON COLUMN views.token_lookup.expires_at_ms IS 'First millisecond at which it is no longer valid; null for never.';
COMMENT ON COLUMN views.token_lookup.revoked_at_ms IS 'When it was revoked; null while it is not.';
COMMENT ON COLUMN views.token_lookup.superseded_at_ms IS 'When a regeneration replaced this secret; null while it is the current one.';
COMMENT ON COLUMN views.token_lookup.last_sequence IS 'Sequence number of the last event this row has seen.';
COMMENT ON COLUMN views.token_lookup.changed_xid IS 'Transaction that wrote the row last. Not part of the state: a rebuild has its own.';

CREATE TABLE rebuild.token_lookup (LIKE views.token_lookup INCLUDING ALL);
COMMENT ON TABLE rebuild.token_lookup IS 'views.token_lookup, built again from the events to be compared.';

CREATE TABLE audit.tree_head (
  log_id smallint PRIMARY KEY,
  size   bigint NOT NULL CHECK (size >= 0)
);
COMMENT ON TABLE audit.tree_head IS 'How many leaves there are. Changed by compare-and-set only, so that two sequencers cannot give one index twice.';
COMMENT ON COLUMN audit.tree_head.log_id IS '1, until there is more than one log.';
COMMENT ON COLUMN audit.tree_head.size IS 'Number of leaves; the next one gets this index.';
INSERT INTO audit.tree_head (log_id, size) VALUES (1, 0);

CREATE TABLE audit.leaf (
  leaf_index   bigint PRIMARY KEY CHECK (leaf_index >= 0),
  global_index bigint NOT NULL CONSTRAINT leaf_global_index_key UNIQUE,
  event_id     text NOT NULL CONSTRAINT leaf_event_id_key UNIQUE,
  sequenced_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit.leaf IS 'The dense order of committed events. A follower that reads by leaf index misses none.';
COMMENT ON COLUMN audit.leaf.leaf_index IS 'From 0 without a gap.';
COMMENT ON COLUMN audit.leaf.global_index IS 'The event, by its row.';
COMMENT ON COLUMN audit.leaf.event_id IS 'The event, by its id.';
COMMENT ON COLUMN audit.leaf.sequenced_at IS 'When it got its place.';

CREATE TABLE views.follower (
  name            text PRIMARY KEY,
  next_leaf_index bigint NOT NULL CHECK (next_leaf_index >= 0)
);
COMMENT ON TABLE views.follower IS 'How far each follower has come; committed with what it wrote.';
COMMENT ON COLUMN views.follower.name IS 'The follower, for example audit_log.';
COMMENT ON COLUMN views.follower.next_leaf_index IS 'The first leaf it has not taken.';

CREATE TABLE views.audit_log (
  leaf_index     bigint PRIMARY KEY,
  global_index   bigint NOT NULL,
  occurred_at    timestamptz NOT NULL,
  event_type     text NOT NULL,
  action         text NOT NULL,
  outcome        text NOT NULL,
  outcome_reason text,
  actor_type     text NOT NULL,
  actor_token_id bigint,
  actor_name     text,
  target_id      text,
  target_name    text,
  request_id     text NOT NULL,
  request_count  bigint NOT NULL
);
CREATE INDEX audit_log_actor_idx ON views.audit_log (actor_name, leaf_index);
CREATE INDEX audit_log_target_idx ON views.audit_log (target_name, leaf_index);
CREATE INDEX audit_log_action_idx ON views.audit_log (action, leaf_index);
CREATE INDEX audit_log_occurred_idx ON views.audit_log (occurred_at);
COMMENT ON TABLE views.audit_log IS 'What the audit is searched by. Personal data is not here: it stays sealed in the event.';
COMMENT ON COLUMN views.audit_log.leaf_index IS 'audit.leaf.leaf_index.';
COMMENT ON COLUMN views.audit_log.global_index IS 'ledger.event.global_index.';
COMMENT ON COLUMN views.audit_log.occurred_at IS 'When it happened.';
COMMENT ON COLUMN views.audit_log.event_type IS 'Stable name of the event.';
COMMENT ON COLUMN views.audit_log.action IS 'What was done or asked for: token.create.';
COMMENT ON COLUMN views.audit_log.outcome IS 'success, denied or failed.';
COMMENT ON COLUMN views.audit_log.outcome_reason IS 'Code of the reason; null for success.';
COMMENT ON COLUMN views.audit_log.actor_type IS 'token, anonymous or system.';
COMMENT ON COLUMN views.audit_log.actor_token_id IS 'The acting token; null for others.';
COMMENT ON COLUMN views.audit_log.actor_name IS 'Its name when it acted, else anonymous or system.';
COMMENT ON COLUMN views.audit_log.target_id IS 'What it was done to, for example token:7; null when nothing existed.';
COMMENT ON COLUMN views.audit_log.target_name IS 'Name of what it was done to.';
COMMENT ON COLUMN views.audit_log.request_id IS 'The request.';
COMMENT ON COLUMN views.audit_log.request_count IS 'How many requests the event stands for; 1 for a state change.';

GRANT USAGE ON SCHEMA ledger, views, rebuild, audit, state TO ${app};
GRANT SELECT, INSERT ON ledger.event TO ${app};
GRANT USAGE ON SEQUENCE ledger.token_id TO ${app};
GRANT SELECT, INSERT ON state.event_salt, state.key_check TO ${app};
GRANT SELECT, INSERT, UPDATE, DELETE ON views.token_lookup, views.follower, views.audit_log TO ${app};
GRANT SELECT, INSERT, UPDATE, DELETE ON rebuild.token_lookup TO ${app};
GRANT SELECT, INSERT ON audit.leaf TO ${app};
GRANT SELECT, UPDATE ON audit.tree_head TO ${app};
