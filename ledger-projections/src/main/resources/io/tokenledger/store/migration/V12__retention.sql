-- What was decided to go. For how long what is kept, and what is held, the events themselves say.

CREATE TABLE state.prune (
  event_id     text PRIMARY KEY,
  class        text NOT NULL,
  event_count  bigint NOT NULL CHECK (event_count > 0),
  decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  trouble      text,
  completed_at timestamptz
);
COMMENT ON TABLE state.prune IS 'What reached the end of its retention. Decided first; done when a checkpoint that covers the decision is a minute old.';
COMMENT ON COLUMN state.prune.event_id IS 'ledger.event.event_id of the EventsPruned, which says what exactly.';
COMMENT ON COLUMN state.prune.class IS 'requests, reads or service; which types these are is in the catalogue.';
COMMENT ON COLUMN state.prune.event_count IS 'How many events.';
COMMENT ON COLUMN state.prune.decided_at IS 'When it was decided.';
COMMENT ON COLUMN state.prune.trouble IS 'Why it is not done, in words; null while nothing hinders it.';
COMMENT ON COLUMN state.prune.completed_at IS 'When the bodies were gone; null while they are not.';

GRANT SELECT, INSERT, UPDATE ON state.prune TO ${app};

ALTER TABLE state.sink
  ADD COLUMN pid        integer,
  ADD COLUMN renewed_at timestamptz;
COMMENT ON COLUMN state.sink.pid IS 'The session that delivers, or did last.';
COMMENT ON COLUMN state.sink.renewed_at IS 'When that last gave a sign. A silent one is ended by whoever waits for its lock.';

-- What is kept, held, erased and gone is read from these events, and not from tables that nodes write.
CREATE INDEX event_privacy_idx ON ledger.event (event_type)
  WHERE event_type IN ('RetentionChanged', 'LegalHoldPlaced', 'LegalHoldLifted', 'SubjectErased', 'EventsPruned', 'EventsWithheld');

-- Many questions cast it, and each would fail at a text that is no time. The last statement: it locks the table.
ALTER TABLE ledger.event ADD CONSTRAINT event_time_check
  CHECK (occurred_at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$'
         AND occurred_at::timestamptz IS NOT NULL
         AND isfinite(recorded_at)) NOT VALID;
