#include "storage/sqlite/schema.hpp"

#include "storage/sqlite/database.hpp"
#include "storage/store/error.hpp"

namespace verbatim::sqlite {
namespace {

constexpr const char* version_1 = R"sql(
CREATE TABLE session (
  id INTEGER PRIMARY KEY,
  public_id TEXT NOT NULL UNIQUE,
  user TEXT NOT NULL,
  metadata TEXT NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX session_by_user ON session (user);

CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES session,
  number INTEGER NOT NULL,
  status INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  close_reason INTEGER,
  model TEXT NOT NULL,
  complete INTEGER NOT NULL DEFAULT 0,
  gaps TEXT NOT NULL DEFAULT '[]',
  usage TEXT NOT NULL DEFAULT '[]',
  first_seq INTEGER NOT NULL,
  UNIQUE (session, number)
);
CREATE INDEX attempt_open ON attempt (first_seq) WHERE ended_at IS NULL;

CREATE TABLE journal (
  seq INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  body BLOB NOT NULL
);
CREATE TABLE unreadable (
  seq INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL,
  at INTEGER NOT NULL,
  body BLOB NOT NULL
);

CREATE TABLE turn (
  id INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL REFERENCES attempt,
  item_id TEXT NOT NULL,
  ordinal INTEGER NOT NULL,
  role INTEGER NOT NULL,
  status INTEGER NOT NULL,
  text TEXT NOT NULL,
  heard_ms INTEGER,
  heard_text TEXT,
  reason TEXT NOT NULL,
  deleted INTEGER NOT NULL,
  response_id TEXT NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  writers TEXT NOT NULL,
  UNIQUE (attempt, item_id)
);

CREATE TABLE client_secret (
  id TEXT PRIMARY KEY,
  session_config TEXT NOT NULL,
  expires_at INTEGER NOT NULL
);

CREATE TABLE meta (
  clean INTEGER NOT NULL,
  last_seq INTEGER NOT NULL
);
INSERT INTO meta VALUES (1, 0);
)sql";

constexpr const char* version_2 = R"sql(
ALTER TABLE meta ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE session ADD COLUMN idempotency TEXT;
ALTER TABLE session ADD COLUMN request TEXT;
CREATE UNIQUE INDEX session_by_idempotency ON session (idempotency) WHERE idempotency IS NOT NULL;
ALTER TABLE attempt ADD COLUMN merged_turns INTEGER;
ALTER TABLE attempt ADD COLUMN merged_complete INTEGER;

CREATE TABLE copy (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  attempt INTEGER NOT NULL REFERENCES attempt,
  writer TEXT NOT NULL,
  posted_at INTEGER NOT NULL,
  body TEXT NOT NULL,
  UNIQUE (attempt, writer, body)
);

CREATE TABLE message (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  public_id TEXT NOT NULL UNIQUE,
  kind INTEGER NOT NULL,
  attempt INTEGER NOT NULL REFERENCES attempt,
  item_id TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
);
CREATE INDEX message_of_attempt ON message (attempt);
CREATE TABLE delivery (
  message INTEGER NOT NULL REFERENCES message,
  target TEXT NOT NULL,
  state INTEGER NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0,
  due_at INTEGER NOT NULL,
  last_error TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (message, target)
) WITHOUT ROWID;
CREATE INDEX delivery_waiting ON delivery (target, message) WHERE state = 0;
CREATE INDEX delivery_dead ON delivery (target) WHERE state = 2;
)sql";

constexpr const char* version_3 = R"sql(
ALTER TABLE attempt ADD COLUMN suspended_at INTEGER;
ALTER TABLE attempt ADD COLUMN settings TEXT;
ALTER TABLE client_secret ADD COLUMN terms TEXT NOT NULL DEFAULT '{}';
)sql";

/// `to_merge` is set while the counts of an attempt are out of date: the first copy that they lack,
/// or 0.
constexpr const char* version_4 = R"sql(
ALTER TABLE attempt ADD COLUMN copies INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN copy_turns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN copy_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN to_merge INTEGER;
CREATE INDEX attempt_to_merge ON attempt (id) WHERE to_merge IS NOT NULL;
UPDATE attempt SET
  copies = counted.copies, copy_turns = counted.turns, copy_bytes = counted.bytes
FROM (SELECT attempt AS id, count(*) AS copies, sum(json_array_length(body)) AS turns,
             sum(length(CAST(body AS BLOB))) AS bytes FROM copy GROUP BY attempt) AS counted
WHERE counted.id = attempt.id;
)sql";

constexpr const char* version_5 = R"sql(
ALTER TABLE turn ADD COLUMN audio_ms INTEGER NOT NULL DEFAULT 0;

CREATE TABLE tool_call (
  id INTEGER PRIMARY KEY,
  attempt INTEGER NOT NULL REFERENCES attempt,
  number INTEGER NOT NULL,
  after INTEGER NOT NULL,
  item_id TEXT NOT NULL,
  call_id TEXT NOT NULL,
  kind INTEGER NOT NULL,
  status INTEGER NOT NULL,
  name TEXT NOT NULL,
  server TEXT NOT NULL,
  arguments TEXT NOT NULL,
  output TEXT,
  error TEXT NOT NULL,
  approval TEXT,
  deleted INTEGER NOT NULL,
  response_id TEXT NOT NULL,
  started_at INTEGER,
  ended_at INTEGER,
  UNIQUE (attempt, number)
);
)sql";

/// Every client token has a row. For one made by an older program only the id is known.
constexpr const char* version_6 = R"sql(
ALTER TABLE session ADD COLUMN private TEXT NOT NULL DEFAULT '{}';
ALTER TABLE client_secret ADD COLUMN user TEXT NOT NULL DEFAULT '';
ALTER TABLE client_secret ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE client_secret ADD COLUMN open INTEGER NOT NULL DEFAULT 0;
ALTER TABLE client_secret ADD COLUMN private TEXT NOT NULL DEFAULT '{}';
ALTER TABLE client_secret ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE client_secret ADD COLUMN revoked_at INTEGER;
CREATE INDEX client_secret_by_session ON client_secret (session);
CREATE INDEX client_secret_by_expiry ON client_secret (expires_at);

CREATE TABLE token_use (
  token TEXT NOT NULL,
  session INTEGER NOT NULL REFERENCES session,
  PRIMARY KEY (session, token)
) WITHOUT ROWID;
CREATE INDEX token_use_by_token ON token_use (token);
)sql";

/// The back-end key that made a token; empty if an older program made it.
constexpr const char* version_7 = R"sql(
ALTER TABLE client_secret ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
)sql";

/// Deliveries in lanes: the session of each, when it is due, and its latest tries. A message that
/// every target has received stays for a while, with the time of that.
constexpr const char* version_8 = R"sql(
ALTER TABLE message ADD COLUMN done_at INTEGER;
CREATE INDEX message_pending ON message (id) WHERE done_at IS NULL;
CREATE INDEX message_done ON message (done_at) WHERE done_at > 0;
ALTER TABLE delivery ADD COLUMN session INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;
UPDATE delivery SET session = (SELECT attempt.session FROM message
  JOIN attempt ON attempt.id = message.attempt WHERE message.id = delivery.message);
DROP INDEX delivery_waiting;
CREATE INDEX delivery_waiting ON delivery (target, session, message) WHERE state = 0;
CREATE INDEX delivery_due ON delivery (target, due_at, message) WHERE state = 0;

CREATE TABLE delivery_try (
  message INTEGER NOT NULL REFERENCES message,
  target TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  took_ms INTEGER NOT NULL,
  status INTEGER NOT NULL,
  error TEXT NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (message, target, number)
) WITHOUT ROWID;
)sql";

/// For the search index: `attempt.changed` grows with each change of a stored transcript, and never
/// returns to an earlier number. `meta.store` is a store's own name.
constexpr const char* version_9 = R"sql(
ALTER TABLE meta ADD COLUMN store TEXT NOT NULL DEFAULT '';
ALTER TABLE meta ADD COLUMN last_change INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN changed INTEGER;
UPDATE meta SET store = lower(hex(randomblob(16))),
  last_change = (SELECT coalesce(max(id), 0) FROM attempt);
UPDATE attempt SET changed = id WHERE ended_at IS NOT NULL OR copies > 0;
CREATE INDEX attempt_by_change ON attempt (changed) WHERE changed IS NOT NULL;
)sql";

/// For a fleet: the store's name there, and the changes that a database elsewhere lacks. `shipping`
/// has one row while changes are tracked (storage/rows/change_tracking.hpp).
/// `attempt.recoveries`: starts after a crash that have left it open, since its client was last
/// there. `attempt.taken_upto`: its journal rows up to here came from the fleet's database.
/// `attempt.tail_pending`: another node of the fleet may have more of it.
constexpr const char* version_10 = R"sql(
ALTER TABLE meta ADD COLUMN node_id TEXT NOT NULL DEFAULT '';
UPDATE meta SET node_id = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' ||
  substr(hex(randomblob(2)), 2) || '-' || substr('89AB', 1 + (random() & 3), 1) ||
  substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)));

CREATE TABLE dirty (
  kind INTEGER NOT NULL,
  key NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX dirty_by_seq ON dirty (seq);

CREATE TABLE shipping (
  shipped INTEGER NOT NULL,
  pruned INTEGER NOT NULL,
  erasures INTEGER NOT NULL,
  stage INTEGER NOT NULL,
  reached INTEGER NOT NULL
);

CREATE TABLE run (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  first_seq INTEGER NOT NULL
);

ALTER TABLE attempt ADD COLUMN recoveries INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN taken_upto INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN tail_pending INTEGER NOT NULL DEFAULT 0;
)sql";

/// The index of the recorded audio of an attempt (transcript::AudioPlaced).
constexpr const char* version_11 = R"sql(
CREATE TABLE audio_run (
  attempt INTEGER NOT NULL REFERENCES attempt,
  track INTEGER NOT NULL,
  item_id TEXT NOT NULL,
  begins INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  encoding INTEGER NOT NULL,
  rate INTEGER NOT NULL,
  PRIMARY KEY (attempt, track, begins, item_id)
) WITHOUT ROWID;
)sql";

/// The calls for a second transcription of an utterance (storage/store/repair_store.hpp).
constexpr const char* version_12 = R"sql(
CREATE TABLE repair (
  attempt INTEGER NOT NULL REFERENCES attempt,
  item_id TEXT NOT NULL,
  tries INTEGER NOT NULL,
  audio_ms INTEGER NOT NULL,
  PRIMARY KEY (attempt, item_id)
) WITHOUT ROWID;
)sql";

/// Recorded audio in a bucket (storage/store/upload_store.hpp). `session` is a public id, since a
/// row outlives its session until the object is removed.
constexpr const char* version_13 = R"sql(
CREATE TABLE upload (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  session TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  file TEXT NOT NULL,
  place TEXT NOT NULL,
  key TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  changed_at INTEGER NOT NULL
);
CREATE INDEX upload_by_session ON upload (session);
CREATE INDEX upload_by_state ON upload (state, changed_at);
)sql";

constexpr const char* steps[] = {version_1,  version_2,  version_3, version_4, version_5,
                                 version_6,  version_7,  version_8, version_9, version_10,
                                 version_11, version_12, version_13};

std::int64_t number(Database& database, const char* sql) {
  Query read = database.query(sql);
  return read.step() ? read.integer(0) : 0;
}

[[noreturn]] void refuse_foreign(Database& database) {
  throw store::StorageError(
      store::Failure::other,
      database.file().string() +
          ": this is not a Verbatim database; nothing was changed; choose another "
          "data directory or move the file away");
}

}  // namespace

std::span<const char* const> schema_steps() { return steps; }

Schema main_schema() { return {application_id, steps}; }

int identify(Database& database, const Schema& schema) {
  try {
    const auto owner = number(database, "PRAGMA application_id");
    if (owner == schema.application_id) {
      const auto version = number(database, "PRAGMA user_version");
      if (version > static_cast<std::int64_t>(schema.steps.size()))
        throw store::StorageError(store::Failure::newer_schema,
                                  database.file().string() +
                                      ": written by a later version of Verbatim " + "(schema " +
                                      std::to_string(version) + ", this program knows " +
                                      std::to_string(schema.steps.size()) +
                                      "); nothing was changed; run that version or a newer one");
      return static_cast<int>(version);
    }
    if (owner != 0 || number(database, "SELECT count(*) FROM sqlite_master") != 0)
      refuse_foreign(database);
    return 0;
  } catch (const store::StorageError& error) {
    constexpr int not_a_database = 26;
    if (error.native_code() == not_a_database) refuse_foreign(database);
    throw;
  }
}

void migrate(Database& database, int version, std::span<const char* const> from_here) {
  migrate(database, version, Schema{application_id, from_here});
}

void migrate(Database& database, int version, const Schema& schema) {
  for (std::size_t next = static_cast<std::size_t>(version); next < schema.steps.size(); ++next) {
    Transaction step(database);
    database.run(schema.steps[next]);
    database.run("PRAGMA application_id=" + std::to_string(schema.application_id));
    database.run("PRAGMA user_version=" + std::to_string(next + 1));
    step.commit();
  }
}

void require_current_schema(Database& database, int version) {
  require_current_schema(database, version, main_schema());
}

void require_current_schema(Database& database, int version, const Schema& schema) {
  if (version == static_cast<int>(schema.steps.size())) return;
  throw store::StorageError(store::Failure::other,
                            database.file().string() +
                                ": older than this program; start the relay or run "
                                "`verbatim recover` once to bring it up to date");
}

}  // namespace verbatim::sqlite
