-- What long streams are loaded from, and events that cannot be read.

CREATE TABLE state.snapshot (
  aggregate_id    text PRIMARY KEY,
  sequence_number bigint NOT NULL CHECK (sequence_number >= 0),
  event_id        text NOT NULL,
  revision        text NOT NULL,
  snapshot        text NOT NULL,
  mac             bytea NOT NULL CHECK (octet_length(mac) = 32),
  taken_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  checked_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX snapshot_checked_idx ON state.snapshot (checked_at);
COMMENT ON TABLE state.snapshot IS 'What the events of a long stream come to, so that a command need not read them all. Never believed against the events; may be deleted at any time.';
COMMENT ON COLUMN state.snapshot.aggregate_id IS 'The stream.';
COMMENT ON COLUMN state.snapshot.sequence_number IS 'The last event that is in it.';
COMMENT ON COLUMN state.snapshot.event_id IS 'The id of that event: one of another history is not believed.';
COMMENT ON COLUMN state.snapshot.revision IS 'Of what it is made and how: a version that reads events in another way ignores it.';
COMMENT ON COLUMN state.snapshot.snapshot IS 'JSON.';
COMMENT ON COLUMN state.snapshot.mac IS 'HMAC-SHA256 under the ledger key over the columns before it.';
COMMENT ON COLUMN state.snapshot.taken_at IS 'When it was written.';
COMMENT ON COLUMN state.snapshot.checked_at IS 'When it was last made again from all its events and compared.';

CREATE TABLE state.quarantine (
  event_id     text PRIMARY KEY,
  global_index bigint NOT NULL,
  aggregate_id text NOT NULL,
  reason       text NOT NULL,
  state        text NOT NULL CHECK (state IN ('found', 'quarantined', 'released')),
  found_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  changed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX quarantine_stream_idx ON state.quarantine (aggregate_id) WHERE state = 'quarantined';
COMMENT ON TABLE state.quarantine IS 'Events that some version could not read, and what was decided about them. While one is quarantined, projections pass it and no token of its name is valid.';
COMMENT ON COLUMN state.quarantine.event_id IS 'ledger.event.event_id.';
COMMENT ON COLUMN state.quarantine.global_index IS 'ledger.event.global_index.';
COMMENT ON COLUMN state.quarantine.aggregate_id IS 'Its stream.';
COMMENT ON COLUMN state.quarantine.reason IS 'Why it could not be read.';
COMMENT ON COLUMN state.quarantine.state IS 'found: projections stand still before it. quarantined: they pass it. released: it is read again.';
COMMENT ON COLUMN state.quarantine.found_at IS 'When a node met it first.';
COMMENT ON COLUMN state.quarantine.changed_at IS 'When the state was last changed.';

GRANT SELECT, INSERT, UPDATE, DELETE ON state.snapshot TO ${app};
GRANT SELECT, INSERT, UPDATE ON state.quarantine TO ${app};
