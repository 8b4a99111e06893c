-- Whose keys were destroyed, and what nobody may destroy.

CREATE TABLE state.erasure (
  event_id     text PRIMARY KEY,
  subject      text NOT NULL,
  key_ids      text[] NOT NULL CHECK (cardinality(key_ids) > 0),
  erased_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  completed_at timestamptz
);
COMMENT ON TABLE state.erasure IS 'Subjects whose keys were destroyed. Nodes destroy these keys again wherever they come back, such as from a backup of the keys.';
COMMENT ON COLUMN state.erasure.event_id IS 'ledger.event.event_id of the SubjectErased.';
COMMENT ON COLUMN state.erasure.subject IS 'Whose: token:7, person: and a pseudonym, anonymous: and a day, or system.';
COMMENT ON COLUMN state.erasure.key_ids IS 'The keys that were destroyed; a subject that acts again gets another one.';
COMMENT ON COLUMN state.erasure.erased_at IS 'When it was decided.';
COMMENT ON COLUMN state.erasure.completed_at IS 'When keys and opened copies were gone; null while that is not done.';

CREATE TABLE state.legal_hold (
  hold               text PRIMARY KEY,
  subject            text,
  token_name         text,
  held_from          timestamptz,
  held_until         timestamptz,
  placed_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  placed_by_token_id bigint,
  lifted_at          timestamptz,
  CHECK (num_nonnulls(subject, token_name, held_from, held_until) > 0),
  CHECK (held_until > held_from)
);
COMMENT ON TABLE state.legal_hold IS 'What is neither erased nor pruned. An event is held when all bounds given hold for it.';
COMMENT ON COLUMN state.legal_hold.hold IS 'Its name, used once.';
COMMENT ON COLUMN state.legal_hold.subject IS 'Whose events; null for anyone''s.';
COMMENT ON COLUMN state.legal_hold.token_name IS 'Name of the token that acted or was acted upon; null for any.';
COMMENT ON COLUMN state.legal_hold.held_from IS 'First instant; null for the beginning.';
COMMENT ON COLUMN state.legal_hold.held_until IS 'First instant after it; null for no end.';
COMMENT ON COLUMN state.legal_hold.placed_at IS 'When it was placed.';
COMMENT ON COLUMN state.legal_hold.placed_by_token_id IS 'Who placed it, and therefore may not lift it; null for others than tokens.';
COMMENT ON COLUMN state.legal_hold.lifted_at IS 'When it was lifted; null while it holds.';

GRANT SELECT, INSERT, UPDATE ON state.erasure, state.legal_hold TO ${app};
