-- What a restore leaves until someone accepts it, and the cursors that no rebuild may move.

CREATE TABLE state.restore (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  found_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  found_by    text NOT NULL,
  reason      text NOT NULL,
  accepted_at timestamptz
);
CREATE UNIQUE INDEX restore_open_key ON state.restore ((accepted_at IS NULL)) WHERE accepted_at IS NULL;
COMMENT ON TABLE state.restore IS 'Restores of this database. While one is not accepted, every node denies every decision and none signs.';
COMMENT ON COLUMN state.restore.id IS 'A number.';
COMMENT ON COLUMN state.restore.found_at IS 'When it was restored, or a node saw that it was.';
COMMENT ON COLUMN state.restore.found_by IS 'The node that saw it, or the command that did it.';
COMMENT ON COLUMN state.restore.reason IS 'What was seen or done, in words.';
COMMENT ON COLUMN state.restore.accepted_at IS 'When replay restore accept was done; null while it was not.';

CREATE TABLE state.cursor (
  name            text PRIMARY KEY,
  next_leaf_index bigint NOT NULL CHECK (next_leaf_index >= 0)
);
COMMENT ON TABLE state.cursor IS 'How far each sender has come whose receiver is outside. Not rebuildable: from the first leaf on it would send again what was sent.';
COMMENT ON COLUMN state.cursor.name IS 'The sender, for example notice_webhook.';
COMMENT ON COLUMN state.cursor.next_leaf_index IS 'The first leaf it has not taken.';

INSERT INTO state.cursor (name, next_leaf_index)
SELECT name, next_leaf_index
  FROM views.follower
 WHERE name = 'notice_webhook';
DELETE FROM views.follower WHERE name = 'notice_webhook';

GRANT SELECT, INSERT, UPDATE ON state.restore, state.cursor TO ${app};
