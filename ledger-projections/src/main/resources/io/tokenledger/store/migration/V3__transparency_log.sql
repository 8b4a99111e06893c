-- The Merkle tree over the dense order, and what signs it.

-- Nothing was signed yet: the order is given again, now with the entries that are hashed.
TRUNCATE audit.leaf;
UPDATE audit.tree_head SET size = 0;
DELETE FROM views.audit_log;
DELETE FROM views.token;
UPDATE views.follower SET next_leaf_index = 0 WHERE name IN ('audit_log', 'token');

ALTER TABLE audit.leaf
  ADD COLUMN entry     bytea NOT NULL CHECK (octet_length(entry) <= 65535),
  ADD COLUMN leaf_hash bytea NOT NULL CHECK (octet_length(leaf_hash) = 32),
  ADD COLUMN mac_valid boolean NOT NULL;
COMMENT ON COLUMN audit.leaf.entry IS 'The bytes that were hashed, stored once and never derived again: the event''s header in clear, its bodies as commitments.';
COMMENT ON COLUMN audit.leaf.leaf_hash IS 'SHA-256 of 0x00 and the entry (RFC 6962).';
COMMENT ON COLUMN audit.leaf.mac_valid IS 'Whether the row had a valid MAC when it got its place. One without is recorded, and marked as made by no node.';

ALTER TABLE audit.tree_head
  ADD COLUMN generation smallint NOT NULL DEFAULT 1,
  ADD COLUMN edge       bytea NOT NULL DEFAULT '',
  ADD COLUMN root       bytea NOT NULL DEFAULT sha256('');
COMMENT ON COLUMN audit.tree_head.generation IS 'Which log grows: the last one in audit.generation.';
COMMENT ON COLUMN audit.tree_head.edge IS 'Hashes of the right edge, largest subtree first: what appending needs.';
COMMENT ON COLUMN audit.tree_head.root IS 'Root over all leaves.';

CREATE TABLE audit.node (
  level      smallint NOT NULL CHECK (level IN (8, 16, 24, 32, 40, 48, 56)),
  node_index bigint NOT NULL CHECK (node_index >= 0),
  hash       bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (level, node_index)
);
COMMENT ON TABLE audit.node IS 'Hashes of complete subtrees of 256, 65536 and so on leaves: what tiles above the lowest and proofs are made of.';
COMMENT ON COLUMN audit.node.level IS 'The subtree has two to this many leaves.';
COMMENT ON COLUMN audit.node.node_index IS 'Which of its level, from 0.';
COMMENT ON COLUMN audit.node.hash IS 'Hash of the subtree.';

CREATE TABLE audit.generation (
  generation    smallint PRIMARY KEY CHECK (generation >= 1),
  origin        text NOT NULL CONSTRAINT generation_origin_key UNIQUE,
  begun_at_size bigint NOT NULL CHECK (begun_at_size >= 0),
  previous_note text,
  begun_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit.generation IS 'The logs, one after the other. A further one begins when what was signed cannot be continued, such as after a restore; it keeps the leaves that are there.';
COMMENT ON COLUMN audit.generation.generation IS 'From 1.';
COMMENT ON COLUMN audit.generation.origin IS 'Name of the log in its checkpoints.';
COMMENT ON COLUMN audit.generation.begun_at_size IS 'How many leaves there were when it began.';
COMMENT ON COLUMN audit.generation.previous_note IS 'The last checkpoint that was known of the log before; null for the first.';
COMMENT ON COLUMN audit.generation.begun_at IS 'When it began.';

CREATE TABLE audit.signing_key (
  verifier_key text PRIMARY KEY,
  generation   smallint NOT NULL,
  begun_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
  begun_at_size bigint NOT NULL CHECK (begun_at_size >= 0)
);
COMMENT ON TABLE audit.signing_key IS 'The keys that signed. For finding them; whom to believe, an auditor must know from elsewhere.';
COMMENT ON COLUMN audit.signing_key.verifier_key IS 'NAME+KEYID+BASE64.';
COMMENT ON COLUMN audit.signing_key.generation IS 'The log it signs.';
COMMENT ON COLUMN audit.signing_key.begun_at IS 'When it was first used.';
COMMENT ON COLUMN audit.signing_key.begun_at_size IS 'How many leaves there were then.';

CREATE TABLE audit.checkpoint (
  generation smallint NOT NULL,
  size       bigint NOT NULL CHECK (size >= 0),
  root       bytea NOT NULL CHECK (octet_length(root) = 32),
  note       text NOT NULL,
  signed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (generation, size)
);
COMMENT ON TABLE audit.checkpoint IS 'Every checkpoint that was signed.';
COMMENT ON COLUMN audit.checkpoint.generation IS 'Of which log.';
COMMENT ON COLUMN audit.checkpoint.size IS 'How many leaves it covers.';
COMMENT ON COLUMN audit.checkpoint.root IS 'Root over them.';
COMMENT ON COLUMN audit.checkpoint.note IS 'The signed note, with the log''s signatures only.';
COMMENT ON COLUMN audit.checkpoint.signed_at IS 'When it was stored.';

CREATE TABLE audit.cosignature (
  generation smallint NOT NULL,
  size       bigint NOT NULL,
  witness    text NOT NULL,
  line       text NOT NULL,
  at         timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (generation, size, witness)
);
COMMENT ON TABLE audit.cosignature IS 'Lines of witnesses under checkpoints.';
COMMENT ON COLUMN audit.cosignature.generation IS 'Of which log.';
COMMENT ON COLUMN audit.cosignature.size IS 'Of which checkpoint.';
COMMENT ON COLUMN audit.cosignature.witness IS 'Name of the witness''s key.';
COMMENT ON COLUMN audit.cosignature.line IS 'The signature line.';
COMMENT ON COLUMN audit.cosignature.at IS 'When it came.';

CREATE TABLE audit.anchor (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  generation smallint NOT NULL,
  size       bigint NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('rfc3161')),
  receipt    bytea NOT NULL,
  reference  text NOT NULL,
  at         timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE audit.anchor IS 'What others attest of checkpoints: that they existed at a time.';
COMMENT ON COLUMN audit.anchor.id IS 'A number.';
COMMENT ON COLUMN audit.anchor.generation IS 'Of which log.';
COMMENT ON COLUMN audit.anchor.size IS 'Of which checkpoint.';
COMMENT ON COLUMN audit.anchor.kind IS 'rfc3161: a timestamp token over the note''s SHA-256.';
COMMENT ON COLUMN audit.anchor.receipt IS 'What the authority gave.';
COMMENT ON COLUMN audit.anchor.reference IS 'Which authority.';
COMMENT ON COLUMN audit.anchor.at IS 'When it came.';

CREATE TABLE audit.leader (
  log_id     smallint PRIMARY KEY,
  node       text NOT NULL,
  pid        int NOT NULL,
  renewed_at timestamptz NOT NULL
);
COMMENT ON TABLE audit.leader IS 'Which session sequences and signs. Renewed each second; after three without, another node ends that session.';
COMMENT ON COLUMN audit.leader.log_id IS 'Always 1: one session leads, whatever the generation.';
COMMENT ON COLUMN audit.leader.node IS 'The node.';
COMMENT ON COLUMN audit.leader.pid IS 'Process of its session at the server.';
COMMENT ON COLUMN audit.leader.renewed_at IS 'The clock of the database at the last sign of life.';
INSERT INTO audit.leader (log_id, node, pid, renewed_at) VALUES (1, '', 0, '-infinity');

GRANT SELECT ON state.event_salt TO ${app};
GRANT SELECT, INSERT ON audit.node, audit.generation, audit.signing_key, audit.checkpoint,
  audit.cosignature, audit.anchor TO ${app};
GRANT SELECT, UPDATE ON audit.leader TO ${app};
