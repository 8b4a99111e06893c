-- For how long the bodies of events are kept, and what was decided to go.

CREATE TABLE state.retention (
  class                text PRIMARY KEY,
  days                 integer CHECK (days BETWEEN 1 AND 36500),
  changed_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
  proposed_days        integer CHECK (proposed_days BETWEEN 1 AND 36500),
  proposed_by_token_id bigint,
  proposed_at          timestamptz,
  CONSTRAINT retention_proposal_check CHECK ((proposed_days IS NULL) = (proposed_at IS NULL))
);
COMMENT ON TABLE state.retention IS 'For how long the bodies of a class of events are kept. A class without a row is kept without end, and so is one without days.';
COMMENT ON COLUMN state.retention.class IS 'requests, reads or service; which types these are is in the catalogue.';
COMMENT ON COLUMN state.retention.days IS 'In force; null for without end.';
COMMENT ON COLUMN state.retention.changed_at IS 'Since when.';
COMMENT ON COLUMN state.retention.proposed_days IS 'A shorter time that waits for a second token to ask for the same; null when none does.';
COMMENT ON COLUMN state.retention.proposed_by_token_id IS 'Who asked first, and therefore may not be the second.';
COMMENT ON COLUMN state.retention.proposed_at IS 'When.';

CREATE TABLE state.prune (
  event_id     text PRIMARY KEY,
  class        text NOT NULL,
  event_count  bigint NOT NULL CHECK (event_count > 0),
  decided_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  trouble      text,
  completed_at timestamptz,
  withheld_by  text
);
COMMENT ON TABLE state.prune IS 'What reached the end of its retention. Decided first; done when a checkpoint that covers the decision is a minute old.';
COMMENT ON COLUMN state.prune.event_id IS 'ledger.event.event_id of the EventsPruned, which says what exactly.';
COMMENT ON COLUMN state.prune.class IS 'state.retention.class.';
COMMENT ON COLUMN state.prune.event_count IS 'How many events.';
COMMENT ON COLUMN state.prune.decided_at IS 'When it was decided.';
COMMENT ON COLUMN state.prune.trouble IS 'Why it is not done, in words; null while nothing hinders it.';
COMMENT ON COLUMN state.prune.completed_at IS 'When the bodies were gone; null while they are not.';
COMMENT ON COLUMN state.prune.withheld_by IS 'ledger.event.event_id of the EventsWithheld, where a hold came in between; null where none did.';

-- Many questions cast it, and each would fail at a text that is no time.
ALTER TABLE ledger.event ADD CONSTRAINT event_occurred_at_check
  CHECK (occurred_at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?Z$'
         AND occurred_at::timestamptz IS NOT NULL) NOT VALID;

-- What was said of retention and holds is read from the events before anything goes: the tables above are written by nodes.
CREATE INDEX event_privacy_idx ON ledger.event (event_type)
  WHERE event_type IN ('RetentionChanged', 'LegalHoldPlaced', 'LegalHoldLifted');

GRANT SELECT, INSERT, UPDATE ON state.retention, state.prune TO ${app};
