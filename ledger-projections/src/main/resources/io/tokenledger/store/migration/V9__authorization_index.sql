-- What keeps the authorization lookup in the memory of every node.

DO $$
DECLARE
  aside text;
BEGIN
  -- Every generation that has its indexes already; the others get those of the live one.
  FOR aside IN
    SELECT space.nspname
      FROM pg_class AS class
      JOIN pg_namespace AS space ON space.oid = class.relnamespace
      JOIN pg_constraint AS key ON key.conrelid = class.oid AND key.contype = 'p'
     WHERE class.relname = 'token_lookup'
       AND class.relkind = 'r'
  LOOP
    EXECUTE format('CREATE INDEX token_lookup_changed_idx ON %I.token_lookup (changed_xid)', aside);
  END LOOP;
END
$$;

CREATE TABLE state.lookup_generation (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  generation bigint NOT NULL
);
INSERT INTO state.lookup_generation (generation) VALUES (1);
COMMENT ON TABLE state.lookup_generation IS 'Tells nodes that rows of the lookup went or came without changed_xid saying so: by a swap, a rollback or a release. They read all of it again.';
COMMENT ON COLUMN state.lookup_generation.only_row IS 'Always true.';
COMMENT ON COLUMN state.lookup_generation.generation IS 'Counted up by each.';

CREATE TABLE state.node (
  run_id      text PRIMARY KEY,
  node_id     text NOT NULL,
  lease_until timestamptz NOT NULL,
  timeline    int NOT NULL,
  applied     pg_snapshot NOT NULL
);
COMMENT ON TABLE state.node IS 'The nodes that may decide from memory. One whose lease has ended asks the database by itself.';
COMMENT ON COLUMN state.node.run_id IS 'One run of a process.';
COMMENT ON COLUMN state.node.node_id IS 'Its --node-id.';
COMMENT ON COLUMN state.node.lease_until IS 'Until when it decides from memory unless it renews that.';
COMMENT ON COLUMN state.node.timeline IS 'The timeline of the server that it last read from.';
COMMENT ON COLUMN state.node.applied IS 'What its memory holds: all that this snapshot sees.';

GRANT SELECT, UPDATE ON state.lookup_generation TO ${app};
GRANT SELECT, INSERT, UPDATE, DELETE ON state.node TO ${app};
