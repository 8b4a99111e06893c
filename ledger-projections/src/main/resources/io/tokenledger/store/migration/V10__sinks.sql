-- How far each receiver of the log has come, and what it refused.

CREATE TABLE state.sink (
  name            text PRIMARY KEY,
  next_leaf_index bigint NOT NULL CHECK (next_leaf_index >= 0),
  node            text NOT NULL,
  delivered_at    timestamptz,
  trouble         text,
  trouble_since   timestamptz,
  CONSTRAINT sink_trouble_check CHECK ((trouble IS NULL) = (trouble_since IS NULL))
);
COMMENT ON TABLE state.sink IS 'How far each receiver of the log has come. Not rebuildable: from the first leaf on it would be sent again what it has.';
COMMENT ON COLUMN state.sink.name IS 'As the file of sinks names it.';
COMMENT ON COLUMN state.sink.next_leaf_index IS 'The first leaf that may not be with the receiver yet.';
COMMENT ON COLUMN state.sink.node IS 'The node that delivers, or did last.';
COMMENT ON COLUMN state.sink.delivered_at IS 'When the receiver last confirmed something.';
COMMENT ON COLUMN state.sink.trouble IS 'Why nothing is delivered at present, in words; null while it is.';
COMMENT ON COLUMN state.sink.trouble_since IS 'Since when.';

CREATE TABLE state.dead_letter (
  sink       text NOT NULL,
  leaf_index bigint NOT NULL CHECK (leaf_index >= 0),
  reason     text NOT NULL,
  refusals   integer NOT NULL DEFAULT 1 CHECK (refusals >= 1),
  refused_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  requeued   boolean NOT NULL DEFAULT false,
  PRIMARY KEY (sink, leaf_index)
);
COMMENT ON TABLE state.dead_letter IS 'Entries that a receiver refused for good. The entry itself is in the log; here is only which.';
COMMENT ON COLUMN state.dead_letter.sink IS 'state.sink.name.';
COMMENT ON COLUMN state.dead_letter.leaf_index IS 'audit.leaf.leaf_index.';
COMMENT ON COLUMN state.dead_letter.reason IS 'What the receiver answered.';
COMMENT ON COLUMN state.dead_letter.refusals IS 'How often it was refused.';
COMMENT ON COLUMN state.dead_letter.refused_at IS 'When it was last refused.';
COMMENT ON COLUMN state.dead_letter.requeued IS 'Whether it is to be sent again.';

GRANT SELECT, INSERT, UPDATE ON state.sink TO ${app};
GRANT SELECT, INSERT, UPDATE, DELETE ON state.dead_letter TO ${app};
