#include "server/fleet/database/schema.hpp"

#include <iterator>
#include <string>

namespace verbatim::database {
namespace {

// Times are milliseconds since 1970 by the clock of the relay that wrote them, except those of type
// timestamptz, which are the database's. Numbers of enums: storage/FORMAT.md. Text of people or
// of a provider is bytea: it may hold NUL or half of a surrogate pair.

/// `node`: a row is one start of one relay. `shipped` is NOT NULL on purpose: a batch of a relay
/// that may not write any more sets it to null, and so undoes itself.
constexpr const char* step_1 = R"sql(
CREATE SEQUENCE incarnation;
CREATE TABLE node (
  incarnation bigint PRIMARY KEY DEFAULT nextval('incarnation'),
  node_id uuid NOT NULL,
  run text NOT NULL,
  url text NOT NULL,
  version text NOT NULL,
  schema integer NOT NULL,
  alive boolean NOT NULL DEFAULT true,
  fenced_by bigint,
  shipped bigint NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX node_alive ON node (node_id) WHERE alive;
CREATE INDEX node_by_id ON node (node_id, incarnation);

CREATE TABLE session (
  id text PRIMARY KEY,
  user_name bytea NOT NULL,
  metadata bytea NOT NULL,
  private bytea NOT NULL,
  created_at bigint NOT NULL,
  idempotency text,
  request text,
  tokens text[] NOT NULL,
  node_id uuid NOT NULL
);
CREATE INDEX session_by_time ON session (created_at, id);
CREATE INDEX session_by_user ON session (user_name, created_at);
CREATE INDEX session_by_idempotency ON session (idempotency) WHERE idempotency IS NOT NULL;

CREATE TABLE attempt (
  session text NOT NULL,
  number integer NOT NULL,
  node_id uuid NOT NULL,
  owner bigint NOT NULL,
  status integer NOT NULL,
  started_at bigint NOT NULL,
  ended_at bigint,
  close_reason integer,
  model bytea NOT NULL,
  complete boolean NOT NULL,
  gaps bytea NOT NULL,
  usage bytea NOT NULL,
  suspended_at bigint,
  settings bytea,
  copies bigint NOT NULL,
  copy_turns bigint NOT NULL,
  copy_bytes bigint NOT NULL,
  merged_turns bigint,
  merged_complete boolean,
  PRIMARY KEY (session, number)
);
CREATE INDEX attempt_open ON attempt (owner) WHERE ended_at IS NULL;

CREATE TABLE event (
  session text NOT NULL,
  attempt integer NOT NULL,
  incarnation bigint NOT NULL,
  seq bigint NOT NULL,
  at bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (session, attempt, incarnation, seq)
);

CREATE TABLE turn (
  session text NOT NULL,
  attempt integer NOT NULL,
  item_id bytea NOT NULL,
  ordinal integer NOT NULL,
  role integer NOT NULL,
  status integer NOT NULL,
  text bytea NOT NULL,
  heard_ms bigint,
  heard_text bytea,
  reason bytea NOT NULL,
  deleted boolean NOT NULL,
  response_id bytea NOT NULL,
  started_at bigint,
  ended_at bigint,
  audio_ms bigint NOT NULL,
  PRIMARY KEY (session, attempt, item_id)
);
CREATE TABLE tool_call (
  session text NOT NULL,
  attempt integer NOT NULL,
  number integer NOT NULL,
  after integer NOT NULL,
  item_id bytea NOT NULL,
  call_id bytea NOT NULL,
  kind integer NOT NULL,
  status integer NOT NULL,
  name bytea NOT NULL,
  server bytea NOT NULL,
  arguments bytea NOT NULL,
  output bytea,
  error bytea NOT NULL,
  approval bytea,
  deleted boolean NOT NULL,
  response_id bytea NOT NULL,
  started_at bigint,
  ended_at bigint,
  PRIMARY KEY (session, attempt, number)
);
CREATE TABLE copy (
  session text NOT NULL,
  attempt integer NOT NULL,
  writer bytea NOT NULL,
  digest bytea NOT NULL,
  posted_at bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (session, attempt, writer, digest)
);

CREATE TABLE message (
  id text PRIMARY KEY,
  session text NOT NULL,
  attempt integer NOT NULL,
  kind integer NOT NULL,
  item_id bytea NOT NULL,
  created_at bigint NOT NULL,
  done_at bigint,
  node_id uuid NOT NULL
);
CREATE INDEX message_of_session ON message (session, attempt);
CREATE TABLE delivery (
  message text NOT NULL,
  target text NOT NULL,
  state integer NOT NULL,
  tries integer NOT NULL,
  refusals integer NOT NULL,
  due_at bigint NOT NULL,
  last_error bytea NOT NULL,
  PRIMARY KEY (message, target)
);
CREATE TABLE sender (
  target text NOT NULL,
  lane integer NOT NULL,
  incarnation bigint NOT NULL,
  lease_until timestamptz NOT NULL,
  PRIMARY KEY (target, lane)
);

CREATE TABLE client_secret (
  id text PRIMARY KEY,
  user_name bytea NOT NULL,
  session text NOT NULL,
  session_open boolean NOT NULL,
  session_config bytea NOT NULL,
  terms bytea NOT NULL,
  private bytea NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  revoked_at bigint,
  made_by text NOT NULL
);
CREATE INDEX client_secret_by_session ON client_secret (session);

CREATE TABLE erased (
  session text PRIMARY KEY,
  node_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE erased_on (
  session text NOT NULL,
  node_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (session, node_id)
);
CREATE TABLE usage_day (
  user_name bytea NOT NULL,
  day date NOT NULL,
  audio_ms bigint NOT NULL DEFAULT 0,
  tokens bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (user_name, day)
);
)sql";

/// The home of a session whose row is not there yet: the data directory that claimed it first.
constexpr const char* step_2 = R"sql(
CREATE TABLE claim (
  session text PRIMARY KEY,
  node_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now()
);
)sql";

/// For lists and posts of all nodes. `session.number`: the order among sessions of one millisecond.
/// `copy.untaken`: posted while the attempt's node did not answer, so that node lacks it.
constexpr const char* step_3 = R"sql(
ALTER TABLE session ADD COLUMN number bigserial;
CREATE INDEX session_by_age ON session (created_at, number);
ALTER TABLE copy ADD COLUMN untaken boolean NOT NULL DEFAULT false;
CREATE INDEX copy_untaken ON copy (session, attempt) WHERE untaken;
)sql";

/// For operators. `lag_ms`: age of the oldest event that the node had not shipped at its last
/// renewal. `forgotten`: what it had not shipped is given up.
constexpr const char* step_4 = R"sql(
ALTER TABLE node ADD COLUMN lag_ms bigint NOT NULL DEFAULT 0;
ALTER TABLE node ADD COLUMN forgotten boolean NOT NULL DEFAULT false;
)sql";

/// Takeovers. `attempt.path`: the incarnations that have taken it over, in their order; its events
/// are ordered by it, and those of its first nodes come first. `tail`: a node that lost the attempt
/// may have more of it than `shipped`, its watermark then. `turns` is null until it has left them.
constexpr const char* step_5 = R"sql(
ALTER TABLE attempt ADD COLUMN path bigint[] NOT NULL DEFAULT '{}';
CREATE TABLE tail (
  session text NOT NULL,
  attempt integer NOT NULL,
  node_id uuid NOT NULL,
  shipped bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  turns bytea,
  PRIMARY KEY (session, attempt, node_id)
);
CREATE INDEX tail_of_node ON tail (node_id);
)sql";

/// Erasures, which every node follows. `lost`: sessions that were taken from a node, until it has
/// given up its own copy.
constexpr const char* step_6 = R"sql(
CREATE INDEX erased_by_time ON erased (at);
CREATE TABLE lost (
  node_id uuid NOT NULL,
  session text NOT NULL,
  PRIMARY KEY (node_id, session)
);
)sql";

/// Revocations, which every node follows. `revocation_seen`: the database's time at which it got
/// the revocation.
constexpr const char* step_7 = R"sql(
ALTER TABLE client_secret ADD COLUMN revocation_seen timestamptz;
CREATE INDEX client_secret_by_revocation ON client_secret (revocation_seen)
  WHERE revocation_seen IS NOT NULL;
)sql";

constexpr const char* steps[] = {step_1, step_2, step_3, step_4, step_5, step_6, step_7};

/// `oldest`: the lowest version of a program that may use the database as it is.
constexpr const char* make_version_table = R"sql(
CREATE TABLE IF NOT EXISTS verbatim_schema (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version integer NOT NULL,
  oldest integer NOT NULL
);
INSERT INTO verbatim_schema (version, oldest) VALUES (0, 0) ON CONFLICT DO NOTHING;
)sql";

constexpr int tries_max = 5;

DatabaseResult<> require_known(const Rows& row) {
  const auto version = row.integer(0, 0);
  if (row.integer(0, 1) <= schema_version()) return {};
  return database_error(Trouble::newer_schema,
                        "the database was changed by a later version of Verbatim (schema " +
                            std::to_string(version) + ", this program knows " +
                            std::to_string(schema_version()) + "); nothing was changed");
}

/// Reads the version and makes the steps that are missing, in one transaction.
DatabaseResult<> make_steps(Connection& connection) {
  if (auto begun = connection.run_script("BEGIN"); !begun) return tl::unexpected(begun.error());
  const Statement lock{"", "SELECT version, oldest FROM verbatim_schema FOR UPDATE"};
  auto row = connection.run(lock);
  if (!row) return tl::unexpected(row.error());
  if (auto known = require_known(*row); !known) return known;
  for (auto next = row->integer(0, 0); next < schema_version(); ++next) {
    if (auto made = connection.run_script(steps[next]); !made) return tl::unexpected(made.error());
    const std::string note =
        "UPDATE verbatim_schema SET version = " + std::to_string(next + 1) + ", oldest = 1";
    if (auto noted = connection.run_script(note.c_str()); !noted)
      return tl::unexpected(noted.error());
  }
  if (auto done = connection.run_script("COMMIT"); !done) return tl::unexpected(done.error());
  return {};
}

DatabaseResult<> try_once(Connection& connection) {
  // Its own statement: a relay that may only use the tables need not be able to create any.
  const Statement look{"", "SELECT to_regclass('verbatim_schema') IS NOT NULL"};
  auto there = connection.run(look);
  if (!there) return tl::unexpected(there.error());
  if (there->flag(0, 0)) {
    auto row = connection.run({"", "SELECT version, oldest FROM verbatim_schema"});
    if (!row) return tl::unexpected(row.error());
    if (row->count() == 1) {
      if (auto known = require_known(*row); !known) return known;
      if (row->integer(0, 0) >= schema_version()) return {};
    }
  } else if (auto made = connection.run_script(make_version_table); !made) {
    return tl::unexpected(made.error());
  }
  auto done = make_steps(connection);
  if (!done) (void)connection.run_script("ROLLBACK");
  return done;
}

}  // namespace

int schema_version() { return static_cast<int>(std::size(steps)); }

DatabaseResult<> prepare_schema(Connection& connection) {
  for (int tries = 1; true; ++tries) {
    auto done = try_once(connection);
    if (done || tries == tries_max) return done;
    // Two relays that make the first table at once collide in the catalogue.
    const bool met = done.error().trouble == Trouble::conflict || done.error().sqlstate == "23505";
    if (!met) return done;
  }
}

}  // namespace verbatim::database
