/**
 * The schema, as a forward-only list: entry n brings `PRAGMA user_version` from n to n + 1. An entry that has been
 * released is never edited. Rows with a long body live in rowid tables, short ones in WITHOUT ROWID tables; nothing is
 * looked up without an index, so no request grows dearer with the tables (DESIGN, Performance).
 */
import type { DatabaseSync } from 'node:sqlite'
import { unavailable } from './fault.ts'

export const migrations: readonly string[] = [
  `
  CREATE TABLE people (
    id TEXT PRIMARY KEY, data_key TEXT NOT NULL, name TEXT, proofing INTEGER NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, version INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE documents (
    kind TEXT NOT NULL, idx TEXT NOT NULL, person TEXT NOT NULL REFERENCES people (id), position INTEGER NOT NULL,
    number TEXT NOT NULL, status TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER,
    PRIMARY KEY (kind, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX documents_person ON documents (person, position);
  CREATE TRIGGER documents_stay BEFORE DELETE ON documents
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;
  CREATE TRIGGER documents_keep_owner BEFORE UPDATE OF kind, idx, person ON documents
    WHEN (new.kind, new.idx, new.person) <> (old.kind, old.idx, old.person)
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;

  CREATE TABLE phones (
    person TEXT NOT NULL REFERENCES people (id), position INTEGER NOT NULL, idx TEXT NOT NULL, number TEXT NOT NULL,
    proven INTEGER NOT NULL, valid_from INTEGER NOT NULL,
    PRIMARY KEY (person, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX phones_idx ON phones (idx);

  CREATE TABLE artifacts (
    kind TEXT NOT NULL, id TEXT NOT NULL, payload TEXT NOT NULL, grant_id TEXT, uid TEXT, user_code TEXT,
    account TEXT, expires_at INTEGER NOT NULL,
    UNIQUE (kind, id)
  ) STRICT;
  CREATE INDEX artifacts_grant ON artifacts (grant_id) WHERE grant_id IS NOT NULL;
  CREATE INDEX artifacts_uid ON artifacts (uid, kind) WHERE uid IS NOT NULL;
  CREATE INDEX artifacts_user_code ON artifacts (user_code, kind) WHERE user_code IS NOT NULL;
  CREATE INDEX artifacts_account ON artifacts (account, kind) WHERE account IS NOT NULL;
  CREATE INDEX artifacts_expiry ON artifacts (expires_at);

  CREATE TABLE spent (
    kind TEXT NOT NULL, id TEXT NOT NULL, spent_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX spent_expiry ON spent (expires_at);

  CREATE TABLE counters (
    key TEXT PRIMARY KEY, points INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX counters_expiry ON counters (expires_at);

  CREATE TABLE applications (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, mac TEXT NOT NULL, updated_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE deliveries (
    id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL, buried INTEGER NOT NULL DEFAULT 0, error TEXT
  ) STRICT;
  CREATE INDEX deliveries_due ON deliveries (buried, due_at);

  CREATE TABLE audit (
    node TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, reference TEXT, body TEXT NOT NULL,
    hash TEXT NOT NULL,
    UNIQUE (node, seq)
  ) STRICT;
  CREATE INDEX audit_reference ON audit (reference) WHERE reference IS NOT NULL;
  CREATE TRIGGER audit_without_gap BEFORE INSERT ON audit
    WHEN new.seq <> 1 + coalesce((SELECT max(seq) FROM audit WHERE node = new.node), 0)
    BEGIN SELECT RAISE(ABORT, 'audit rows follow one another'); END;
  CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
  CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

  CREATE TABLE checkpoints (
    node TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, jws TEXT NOT NULL,
    UNIQUE (node, seq)
  ) STRICT;
  CREATE TRIGGER checkpoints_go_forward BEFORE INSERT ON checkpoints
    WHEN EXISTS (SELECT 1 FROM checkpoints WHERE node = new.node AND seq >= new.seq)
    BEGIN SELECT RAISE(ABORT, 'checkpoints go forward'); END;
  CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
  CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
    BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;

  CREATE TABLE data_keys (id TEXT PRIMARY KEY, wrapped TEXT NOT NULL, expires_at INTEGER) STRICT, WITHOUT ROWID;
  CREATE INDEX data_keys_expiry ON data_keys (expires_at) WHERE expires_at IS NOT NULL;
  `,
  // The mark of the ledger begins at random, so that no ledger fits a store it does not belong to.
  `
  CREATE TABLE ledger_head (only INTEGER PRIMARY KEY CHECK (only = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
  INSERT INTO ledger_head VALUES (1, 0, lower(hex(randomblob(32))));

  CREATE TABLE restores (at INTEGER PRIMARY KEY, facts TEXT NOT NULL) STRICT;
  `,
  // Keys have versions (DESIGN D6): a document or phone has an index of each, and its own id, which none of them moves.
  // What was written before the first release has no MAC, and nobody but the server could give it one.
  `
  CREATE TABLE first_release (people INTEGER,
    CONSTRAINT "it holds people of before the first release, which are not taken over: name a new file" CHECK (people = 0)
  );
  INSERT INTO first_release SELECT count(*) FROM people;
  DROP TABLE first_release;
  DROP TABLE phones;
  DROP TABLE documents;
  DROP TABLE people;

  CREATE TABLE people (
    id TEXT PRIMARY KEY, data_key TEXT NOT NULL, name TEXT, proofing INTEGER NOT NULL, status TEXT NOT NULL,
    created_at INTEGER NOT NULL, version INTEGER NOT NULL, mac TEXT NOT NULL,
    wrapping TEXT NOT NULL, index_sets TEXT NOT NULL
  ) STRICT;
  CREATE INDEX people_wrapping ON people (wrapping, id);
  CREATE INDEX people_index_sets ON people (index_sets, id);

  CREATE TABLE documents (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, person TEXT NOT NULL REFERENCES people (id), position INTEGER NOT NULL,
    number TEXT NOT NULL, reserve TEXT NOT NULL, status TEXT NOT NULL, valid_from INTEGER NOT NULL, valid_to INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX documents_person ON documents (person, position);
  CREATE TRIGGER documents_stay BEFORE DELETE ON documents
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;
  CREATE TRIGGER documents_keep_owner BEFORE UPDATE OF id, kind, person ON documents
    WHEN (new.id, new.kind, new.person) <> (old.id, old.kind, old.person)
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;

  CREATE TABLE document_indexes (
    kind TEXT NOT NULL, idx TEXT NOT NULL, document TEXT NOT NULL REFERENCES documents (id),
    PRIMARY KEY (kind, idx)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX document_indexes_document ON document_indexes (document, idx);
  CREATE TRIGGER document_indexes_stay BEFORE UPDATE ON document_indexes
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;
  CREATE TRIGGER document_indexes_leave_one BEFORE DELETE ON document_indexes
    WHEN NOT EXISTS (SELECT 1 FROM document_indexes WHERE document = old.document AND idx <> old.idx)
    BEGIN SELECT RAISE(ABORT, 'a document stays reserved to its person'); END;

  CREATE TABLE phones (
    id TEXT PRIMARY KEY, person TEXT NOT NULL REFERENCES people (id), position INTEGER NOT NULL, number TEXT NOT NULL,
    proven INTEGER NOT NULL, valid_from INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX phones_person ON phones (person, position);

  CREATE TABLE phone_indexes (
    idx TEXT NOT NULL, phone TEXT NOT NULL REFERENCES phones (id) ON DELETE CASCADE, PRIMARY KEY (idx, phone)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX phone_indexes_phone ON phone_indexes (phone, idx);
  `,
]

/** Refuses a database this program does not know; gives its schema version. */
export function schemaVersion(db: DatabaseSync, steps: readonly string[] = migrations): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'])
  if (version > steps.length)
    throw unavailable(
      `the database has schema ${version}, this program knows up to ${steps.length}; run the newer program it belongs to`,
    )
  if (version === 0 && db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() !== undefined)
    throw unavailable('the file is a database of another program; name a new file')
  return version
}

/** Brings the schema up to date in one transaction: all steps or none. */
export function migrate(db: DatabaseSync, steps: readonly string[] = migrations): void {
  const version = schemaVersion(db, steps)
  if (version === steps.length) return
  db.exec('BEGIN IMMEDIATE')
  try {
    for (const step of steps.slice(version)) db.exec(step)
    db.exec(`PRAGMA user_version = ${steps.length}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}
