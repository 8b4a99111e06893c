-- Rebuilds of projections beside the live ones: a generation is a full set of their tables.

CREATE SCHEMA previous;
COMMENT ON SCHEMA previous IS 'The generation of projections that a rebuilt one replaced, kept for a rollback.';
COMMENT ON SCHEMA rebuild IS 'The generation of projections that a replay builds, and what makes and exchanges generations.';

DROP TABLE rebuild.token_lookup;

CREATE TABLE state.replay (
  replay_id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  projections       text[] NOT NULL CHECK (cardinality(projections) > 0),
  moment            text NOT NULL,
  to_size           bigint CHECK (to_size >= 0),
  to_time           timestamptz,
  state             text NOT NULL CHECK (state IN ('building', 'indexing', 'catching_up', 'ready',
                      'swapped', 'rolled_back', 'failed', 'dropped')),
  paused            boolean NOT NULL DEFAULT false,
  started_by        text NOT NULL,
  started_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  working_since     timestamptz,
  updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  first_size        bigint NOT NULL CHECK (first_size >= 0),
  position          bigint NOT NULL CHECK (position >= 0),
  events_total      bigint NOT NULL CHECK (events_total >= 0),
  work_millis       bigint NOT NULL DEFAULT 0,
  compared_at       timestamptz,
  compared_xid      xid8,
  difference_count  bigint,
  difference_digest text,
  error             text,
  drop_after        timestamptz
);
COMMENT ON TABLE state.replay IS 'Every replay that was asked for, and how far it is: whichever node works on it goes on from here.';
COMMENT ON COLUMN state.replay.replay_id IS 'Its number.';
COMMENT ON COLUMN state.replay.projections IS 'What it builds: token_lookup, token, token_history, audit_log.';
COMMENT ON COLUMN state.replay.moment IS 'live for one that follows the log and may be swapped in, else leaf:N or an instant.';
COMMENT ON COLUMN state.replay.to_size IS 'Only leaves below this one count; null for live.';
COMMENT ON COLUMN state.replay.to_time IS 'Only what had occurred by then counts, in each stream up to the first event after it; null for all.';
COMMENT ON COLUMN state.replay.state IS 'building from the history, indexing, catching_up with the log, ready; swapped in; rolled_back; failed with its error; dropped.';
COMMENT ON COLUMN state.replay.paused IS 'Whether nobody is to work on it.';
COMMENT ON COLUMN state.replay.started_by IS 'The name of the token that asked for it, else anonymous or system.';
COMMENT ON COLUMN state.replay.started_at IS 'When.';
COMMENT ON COLUMN state.replay.working_since IS 'When a node last took it up; null before.';
COMMENT ON COLUMN state.replay.updated_at IS 'When this row last changed.';
COMMENT ON COLUMN state.replay.first_size IS 'How many leaves there were at its start: those are read in bulk, the others followed.';
COMMENT ON COLUMN state.replay.position IS 'The first leaf that the tables aside have not taken; once swapped those are the ones replaced.';
COMMENT ON COLUMN state.replay.events_total IS 'How many events are read in bulk.';
COMMENT ON COLUMN state.replay.work_millis IS 'How long nodes worked on the bulk.';
COMMENT ON COLUMN state.replay.compared_at IS 'When it was last compared with the live ones in full.';
COMMENT ON COLUMN state.replay.compared_xid IS 'What that comparison saw: rows written from this transaction on were not compared yet.';
COMMENT ON COLUMN state.replay.difference_count IS 'How many rows differed.';
COMMENT ON COLUMN state.replay.difference_digest IS 'SHA-256 over all of them, 64 hexadecimal digits: what a swap may accept.';
COMMENT ON COLUMN state.replay.error IS 'Why it failed; null when it did not.';
COMMENT ON COLUMN state.replay.drop_after IS 'When its tables are dropped by themselves; null for not.';
CREATE UNIQUE INDEX replay_one_live_key ON state.replay ((true))
  WHERE moment = 'live' AND state IN ('building', 'indexing', 'catching_up', 'ready', 'failed');

CREATE TABLE state.replay_segment (
  replay_id  bigint NOT NULL REFERENCES state.replay,
  segment    int NOT NULL CHECK (segment >= 0),
  kind       text NOT NULL CHECK (kind IN ('streams', 'leaves')),
  after      text NOT NULL,
  until      text,
  events     bigint NOT NULL DEFAULT 0,
  done       boolean NOT NULL DEFAULT false,
  PRIMARY KEY (replay_id, segment)
);
COMMENT ON TABLE state.replay_segment IS 'The parts that the bulk of a replay is read in, and how far each is; committed with the rows it made.';
COMMENT ON COLUMN state.replay_segment.replay_id IS 'Of which replay.';
COMMENT ON COLUMN state.replay_segment.segment IS 'From 0.';
COMMENT ON COLUMN state.replay_segment.kind IS 'streams: whole streams in the order of their names. leaves: the dense order.';
COMMENT ON COLUMN state.replay_segment.after IS 'The last stream or leaf that is done; before the first it is the one before the part.';
COMMENT ON COLUMN state.replay_segment.until IS 'The last stream of the part; null for the end.';
COMMENT ON COLUMN state.replay_segment.events IS 'How many events were read.';
COMMENT ON COLUMN state.replay_segment.done IS 'Whether there are no more.';

CREATE TABLE state.drift_check (
  slice_kind text PRIMARY KEY CHECK (slice_kind IN ('streams', 'rows', 'leaves')),
  after      text NOT NULL,
  round      bigint NOT NULL DEFAULT 0,
  rounded_at timestamptz
);
COMMENT ON TABLE state.drift_check IS 'How far the running comparison of live projections with the events is.';
COMMENT ON COLUMN state.drift_check.slice_kind IS 'streams: rows that a stream makes. rows: rows whose stream there is not. leaves: the audit log.';
COMMENT ON COLUMN state.drift_check.after IS 'The last stream, token id or leaf that was compared.';
COMMENT ON COLUMN state.drift_check.round IS 'How often everything was compared.';
COMMENT ON COLUMN state.drift_check.rounded_at IS 'When that last was so.';

CREATE TABLE state.drift (
  finding    text PRIMARY KEY,
  slice_kind text NOT NULL,
  projection text NOT NULL,
  slice      text NOT NULL,
  row_count  bigint NOT NULL CHECK (row_count > 0),
  found_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  gone_at    timestamptz
);
COMMENT ON TABLE state.drift IS 'Differences that the running comparison found; each has one event.';
COMMENT ON COLUMN state.drift.finding IS 'SHA-256 over the rows that differ: the same finding is told once.';
COMMENT ON COLUMN state.drift.slice_kind IS 'As state.drift_check.slice_kind.';
COMMENT ON COLUMN state.drift.projection IS 'The table.';
COMMENT ON COLUMN state.drift.slice IS 'What was compared: after A until B.';
COMMENT ON COLUMN state.drift.row_count IS 'How many rows differ.';
COMMENT ON COLUMN state.drift.found_at IS 'When it was found.';
COMMENT ON COLUMN state.drift.seen_at IS 'When it was last found.';
COMMENT ON COLUMN state.drift.gone_at IS 'When a whole round no longer found it, or a swap replaced the table; null while it differs.';

-- The tables of a projection. Nothing below touches a table that is not in this list.
CREATE FUNCTION rebuild.tables_of(projections text[]) RETURNS SETOF text
  LANGUAGE sql IMMUTABLE SET search_path = pg_catalog AS $$
SELECT table_name
  FROM (VALUES ('token_lookup', 'token_lookup'),
               ('token', 'token'),
               ('token_history', 'token_history'),
               ('audit_log', 'audit_log'),
               ('audit_log', 'audit_log_span')) AS known (projection, table_name)
 WHERE projection = ANY (projections)
$$;
COMMENT ON FUNCTION rebuild.tables_of IS 'The tables of these projections. Nothing but these is ever made, exchanged or dropped.';

CREATE FUNCTION rebuild.require_scratch(aside text) RETURNS void
  LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
  IF aside !~ '^(rebuild|drift|replay_[0-9]{1,18})$' THEN
    RAISE EXCEPTION 'no schema for copies of projections: %', aside;
  END IF;
END
$$;
COMMENT ON FUNCTION rebuild.require_scratch IS 'Refuses any schema but those that copies of projections lie in.';

CREATE FUNCTION rebuild.prepare(aside text, projections text[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  name text;
  held record;
BEGIN
  PERFORM rebuild.require_scratch(aside);
  EXECUTE format('CREATE SCHEMA IF NOT EXISTS %I', aside);
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO ${app}', aside);
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I.%I', aside, name);
    EXECUTE format('CREATE TABLE %I.%I (LIKE views.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS'
                   ' INCLUDING STORAGE INCLUDING COMMENTS)', aside, name, name);
    EXECUTE format('COMMENT ON TABLE %I.%I IS %L', aside, name,
                   obj_description(format('views.%I', name)::regclass, 'pg_class'));
    FOR held IN
      SELECT acl.privilege_type,
             CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(acl.grantee)) END
               AS grantee
        FROM pg_class AS class
       CROSS JOIN aclexplode(class.relacl) AS acl
       WHERE class.oid = format('views.%I', name)::regclass
         AND acl.grantee <> class.relowner
    LOOP
      EXECUTE format('GRANT %s ON %I.%I TO %s', held.privilege_type, aside, name, held.grantee);
    END LOOP;
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebuild.prepare IS 'Makes the empty tables of a generation like the live ones, without their indexes: those are made when the rows are there.';

CREATE FUNCTION rebuild.index(aside text, projections text[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '128MB' AS $$
DECLARE
  name text;
  part record;
BEGIN
  PERFORM rebuild.require_scratch(aside);
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    FOR part IN
      SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', aside, name, conname,
                    pg_get_constraintdef(oid)) AS statement
        FROM pg_constraint AS known
       WHERE conrelid = format('views.%I', name)::regclass
         AND contype IN ('p', 'u')
         AND NOT EXISTS (SELECT 1 FROM pg_constraint AS made
                          WHERE made.conrelid = format('%I.%I', aside, name)::regclass
                            AND made.conname = known.conname)
      UNION ALL
      SELECT replace(pg_get_indexdef(indexrelid), ' ON views.', format(' ON %I.', aside))
        FROM pg_index
       WHERE indrelid = format('views.%I', name)::regclass
         AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
         AND NOT EXISTS (SELECT 1 FROM pg_class AS made
                          WHERE made.relnamespace = aside::regnamespace
                            AND made.relname = (SELECT relname FROM pg_class WHERE oid = indexrelid))
    LOOP
      EXECUTE part.statement;
    END LOOP;
    EXECUTE format('ANALYZE %I.%I', aside, name);
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebuild.index IS 'Gives the tables of a generation the indexes and unique constraints of the live ones, under the same names; those it has already are left alone.';

CREATE FUNCTION rebuild.remove(aside text, projections text[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  name text;
BEGIN
  IF aside <> 'previous' THEN
    PERFORM rebuild.require_scratch(aside);
  END IF;
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    EXECUTE format('DROP TABLE IF EXISTS %I.%I', aside, name);
  END LOOP;
  IF aside ~ '^replay_' THEN
    EXECUTE format('DROP SCHEMA IF EXISTS %I', aside);
  END IF;
END
$$;
COMMENT ON FUNCTION rebuild.remove IS 'Drops the tables of a generation that is not the live one.';

CREATE SCHEMA passing;
COMMENT ON SCHEMA passing IS 'Where a generation stands while it changes places with the live one, within one transaction.';

CREATE FUNCTION rebuild.exchange(aside text, projections text[]) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  name text;
  made text[];
  statement text;
BEGIN
  IF aside NOT IN ('rebuild', 'previous') THEN
    RAISE EXCEPTION 'nothing in % can become the live generation', aside;
  END IF;
  -- PostgreSQL binds a view to the table, not to its name: each is made again afterwards.
  SELECT array_agg(format('CREATE OR REPLACE VIEW system.%I%s AS %s', relname,
                          ' WITH (' || array_to_string(reloptions, ', ') || ')',
                          pg_get_viewdef(oid)) ORDER BY oid)
    INTO made
    FROM pg_class
   WHERE relnamespace = 'system'::regnamespace
     AND relkind = 'v';
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    IF aside = 'previous' THEN
      EXECUTE format('ALTER TABLE previous.%I SET SCHEMA passing', name);
      EXECUTE format('ALTER TABLE views.%I SET SCHEMA previous', name);
      EXECUTE format('ALTER TABLE passing.%I SET SCHEMA views', name);
    ELSE
      EXECUTE format('DROP TABLE IF EXISTS previous.%I', name);
      EXECUTE format('ALTER TABLE views.%I SET SCHEMA previous', name);
      EXECUTE format('ALTER TABLE rebuild.%I SET SCHEMA views', name);
    END IF;
  END LOOP;
  FOREACH statement IN ARRAY made LOOP
    EXECUTE statement;
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebuild.exchange IS 'Makes the generation aside the live one, and the live one the previous one; the views of schema system then read the new tables, with the grants they had.';

CREATE FUNCTION rebuild.differences(aside text, projections text[], since xid8, names text[],
                                    first_leaf bigint, end_leaf bigint)
  RETURNS TABLE (table_name text, kind text, row_key text, token_id bigint, token_name text,
                 detail text)
  LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
  name text;
  keys text[];
  columns text[];
  wanted text;
  source text;
BEGIN
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    SELECT array_agg(quote_ident(attname) ORDER BY attnum) FILTER (WHERE attname <> 'changed_xid'),
           array_agg(quote_ident(attname) ORDER BY attnum) FILTER (WHERE EXISTS (
             SELECT 1
               FROM pg_index
              WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey)))
      INTO columns, keys
      FROM pg_attribute
     WHERE attrelid = format('views.%I', name)::regclass AND attnum > 0 AND NOT attisdropped;
    wanted := CASE
      WHEN names IS NOT NULL AND name LIKE 'token%' THEN 'token_name = ANY ($3)'
      WHEN first_leaf IS NOT NULL AND name = 'audit_log' THEN 'leaf_index >= $4 AND leaf_index < $5'
      WHEN first_leaf IS NOT NULL AND name = 'audit_log_span'
        THEN 'span * 1024 >= $4 AND (span + 1) * 1024 <= $5'
      ELSE 'true' END;
    -- What was written since an earlier comparison, by whomever: its tuples say so themselves.
    source := CASE WHEN since IS NULL
      THEN format('(SELECT * FROM views.%1$I WHERE %2$s) AS live'
                  ' FULL JOIN (SELECT * FROM %4$I.%1$I WHERE %2$s) AS built USING (%3$s)',
                  name, wanted, array_to_string(keys, ', '), aside)
      ELSE format('(SELECT %3$s FROM views.%1$I WHERE age(xmin) <= age($2::xid)'
                  ' UNION SELECT %3$s FROM %2$I.%1$I WHERE age(xmin) <= age($2::xid)) AS changed'
                  ' LEFT JOIN views.%1$I AS live USING (%3$s)'
                  ' LEFT JOIN %2$I.%1$I AS built USING (%3$s)',
                  name, aside, array_to_string(keys, ', ')) END;
    RETURN QUERY EXECUTE format(
      $query$
      SELECT $1,
             CASE WHEN live.%1$s IS NULL THEN 'missing'
                  WHEN built.%1$s IS NULL THEN 'added'
                  ELSE 'changed' END,
             (SELECT string_agg(cell.key || '=' || CASE WHEN starts_with(cell.value, '\x')
                                                        THEN left(cell.value, 11)
                                                        ELSE cell.value END, ' ' ORDER BY cell.key)
                FROM jsonb_each_text(coalesce(to_jsonb(live), to_jsonb(built))) AS cell
               WHERE cell.key = ANY ($6)),
             (coalesce(to_jsonb(live), to_jsonb(built)) ->> 'token_id')::bigint,
             coalesce(to_jsonb(live), to_jsonb(built)) ->> 'token_name',
             CASE WHEN live.%1$s IS NULL OR built.%1$s IS NULL THEN ''
                  ELSE (SELECT string_agg(
                                 format('%%s: %%s -> %%s', was.key,
                                        CASE WHEN starts_with(was.value, '\x') THEN left(was.value, 11)
                                             ELSE was.value END,
                                        CASE WHEN starts_with(is_now.value, '\x') THEN left(is_now.value, 11)
                                             ELSE is_now.value END),
                                 '; ' ORDER BY was.key)
                          FROM jsonb_each_text(to_jsonb(live))  AS was
                          JOIN jsonb_each_text(to_jsonb(built)) AS is_now ON is_now.key = was.key
                         WHERE was.value IS DISTINCT FROM is_now.value
                           AND was.key <> 'changed_xid') END
        FROM %2$s
       WHERE (%3$s) IS DISTINCT FROM (%4$s)
      $query$,
      keys[1], source,
      (SELECT string_agg('live.' || c, ', ') FROM unnest(columns) AS c),
      (SELECT string_agg('built.' || c, ', ') FROM unnest(columns) AS c))
      USING name, since, names, first_leaf, end_leaf, keys;
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebuild.differences IS 'The rows in which a generation and the live one differ, over all columns but changed_xid: all of them, those written since a transaction, or those of some names or leaves.';

CREATE FUNCTION rebuild.digests(aside text, projections text[])
  RETURNS TABLE (table_name text, row_count bigint, digest text)
  LANGUAGE plpgsql STABLE
  SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO'
  SET bytea_output = 'hex' SET work_mem = '32MB' AS $$
DECLARE
  name text;
  columns text;
BEGIN
  FOR name IN SELECT rebuild.tables_of(projections) LOOP
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attname)
      INTO columns
      FROM pg_attribute
     WHERE attrelid = format('views.%I', name)::regclass AND attnum > 0 AND NOT attisdropped
       AND attname <> 'changed_xid';
    -- Whatever the order of the rows: theirs by first byte, then those 256.
    RETURN QUERY EXECUTE format(
      $query$
      SELECT $1, coalesce(sum(part.row_count), 0)::bigint,
             encode(sha256(coalesce(string_agg(part.digest, '' ORDER BY part.first_byte), '')), 'hex')
        FROM (SELECT get_byte(digest, 0) AS first_byte, count(*) AS row_count,
                     sha256(string_agg(digest, '' ORDER BY digest)) AS digest
                FROM (SELECT sha256(convert_to(ROW(%1$s)::text, 'UTF8')) AS digest
                        FROM %2$I.%3$I) AS each_row
               GROUP BY 1) AS part
      $query$, columns, aside, name) USING name;
  END LOOP;
END
$$;
COMMENT ON FUNCTION rebuild.digests IS 'How many rows each table of a generation has, and one digest over them all, whatever their order and whenever they were written.';

REVOKE ALL ON FUNCTION rebuild.tables_of, rebuild.require_scratch, rebuild.prepare, rebuild.index,
  rebuild.remove, rebuild.exchange, rebuild.differences, rebuild.digests FROM PUBLIC;
GRANT EXECUTE ON FUNCTION rebuild.tables_of, rebuild.require_scratch, rebuild.prepare,
  rebuild.index, rebuild.remove, rebuild.exchange, rebuild.differences, rebuild.digests TO ${app};

GRANT USAGE ON SCHEMA previous TO ${app};
INSERT INTO state.drift_check (slice_kind, after) VALUES ('streams', ''), ('rows', '-1'), ('leaves', '-1');

GRANT SELECT, INSERT, UPDATE ON state.replay, state.drift_check, state.drift TO ${app};
GRANT SELECT, INSERT, UPDATE, DELETE ON state.replay_segment TO ${app};

SELECT rebuild.prepare('drift', ARRAY['token_lookup', 'token', 'token_history', 'audit_log']);
COMMENT ON SCHEMA drift IS 'What a slice of the events makes, while it is compared with the live rows. Empty in between.';
