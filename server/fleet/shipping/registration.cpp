#include "server/fleet/shipping/registration.hpp"

#include <utility>

#include "server/fleet/shipping/database_names.hpp"

namespace verbatim::shipping {
namespace {

constexpr std::chrono::seconds store_patience(10);

// The row of the latest start is locked: a batch of that process that is on its way is over before
// its watermark is read, or finds itself fenced.
constexpr Statement latest{
    "",
    "SELECT incarnation, run, shipped, alive FROM node WHERE node_id = $1::text::uuid "
    "ORDER BY incarnation DESC LIMIT 1 FOR UPDATE"};
constexpr Statement fence{
    "", "UPDATE node SET alive = false, fenced_by = $2 WHERE node_id = $1::text::uuid AND alive"};
constexpr Statement next_incarnation{"", "SELECT nextval('incarnation')"};
constexpr Statement enter{
    "",
    "INSERT INTO node (incarnation, node_id, run, url, version, schema, shipped, lease_until) "
    "VALUES ($1, $2::text::uuid, $3, $4, $5, $6, $7, now() + $8 * interval '1 millisecond')"};
// Open attempts of earlier starts: this process goes on with them or has ended them.
constexpr Statement adopt{
    "",
    "UPDATE attempt SET owner = $2, "
    "path = CASE WHEN cardinality(path) = 0 THEN path ELSE array_append(path, $2) END "
    "WHERE ended_at IS NULL AND node_id = $1::text::uuid AND owner <> $2"};
// After a failover the row may be missing, and its number may have been given to another relay.
constexpr Statement mine{
    "",
    "SELECT node.alive, node.shipped, EXISTS (SELECT 1 FROM node AS newer "
    "WHERE newer.node_id = node.node_id AND newer.incarnation > node.incarnation) "
    "FROM node WHERE node.incarnation = $1 AND node.node_id = $2::text::uuid"};

class Registering {
 public:
  Registering(Connection& connection, store::Shipping& shipping, const NodeFacts& facts)
      : connection_(connection), shipping_(shipping), facts_(facts) {}

  DatabaseResult<Registered> run() {
    while (true) {
      const auto identity = shipping_.identity();
      if (!identity) return tl::unexpected(of_store(identity.error()));
      auto begun = connection_.run_script("BEGIN");
      if (!begun) return tl::unexpected(std::move(begun.error()));
      auto entered = enter_as(*identity);
      auto ended = connection_.run_script(entered && *entered ? "COMMIT" : "ROLLBACK");
      if (!entered) return tl::unexpected(std::move(entered.error()));
      if (!ended) return tl::unexpected(std::move(ended.error()));
      if (*entered) return **std::move(entered);
      auto renewed = renew();
      if (!renewed) return tl::unexpected(std::move(renewed.error()));
    }
  }

 private:
  /// nullopt: the store is not the one that the database knows under this name.
  DatabaseResult<std::optional<Registered>> enter_as(const store::StreamIdentity& identity) {
    Params name;
    name.add_text(identity.node_id);
    auto row = connection_.run(latest, name);
    if (!row) return tl::unexpected(std::move(row.error()));
    Registered made;
    made.is_new = true;
    made.renewed = renewed_;
    made.shipped = begins_at_;
    std::string run = identity.run;
    if (row->count() == 1) {
      made.shipped = static_cast<transcript::Sequence>(row->integer(0, 2));
      run = row->text(0, 1);
      const auto continues = shipping_.continues(run, made.shipped);
      if (!continues) return tl::unexpected(of_store(continues.error()));
      if (!*continues) return std::optional<Registered>();
      if (row->flag(0, 3)) made.fenced = row->integer(0, 0);
    }
    auto number = connection_.run(next_incarnation);
    if (!number) return tl::unexpected(std::move(number.error()));
    made.sender = {identity.node_id, identity.run, number->integer(0, 0), facts_.lease_ttl};
    if (auto done = write(made, run); !done) return tl::unexpected(std::move(done.error()));
    return std::optional(std::move(made));
  }

  /// `run`: of the process that has shipped up to the watermark.
  DatabaseResult<> write(const Registered& made, const std::string& run) {
    Params of;
    of.add_text(made.sender.node_id).add(made.sender.incarnation);
    if (auto done = connection_.run(fence, of); !done) return tl::unexpected(done.error());
    Params row;
    row.add(made.sender.incarnation)
        .add_text(made.sender.node_id)
        .add_text(run)
        .add_text(facts_.url)
        .add_text(facts_.version)
        .add_int4(schema_version())
        .add(static_cast<std::int64_t>(made.shipped))
        .add(std::int64_t{facts_.lease_ttl.count()});
    if (auto done = connection_.run(enter, row); !done) return tl::unexpected(done.error());
    if (auto done = connection_.run(adopt, of); !done) return tl::unexpected(done.error());
    return {};
  }

  DatabaseResult<> renew() {
    if (renewed_)
      return database_error(Trouble::other, "the database knows the new node_id as well");
    StoreCall<store::StreamIdentity> renewing(
        [this](auto done) { shipping_.renew_identity(std::move(done)); });
    auto renewed = renewing.wait(store_patience);
    if (!renewed) return tl::unexpected(std::move(renewed.error()));
    const auto local = shipping_.shipped();
    if (!local) return tl::unexpected(of_store(local.error()));
    renewed_ = true;
    begins_at_ = *local;
    return {};
  }

  Connection& connection_;
  store::Shipping& shipping_;
  const NodeFacts& facts_;
  bool renewed_ = false;
  transcript::Sequence begins_at_ = 0;
};

}  // namespace

DatabaseResult<Registered> register_node(Connection& connection, store::Shipping& shipping,
                                         const NodeFacts& facts,
                                         const std::optional<Sender>& known) {
  bool was_fenced = false;
  if (known) {
    Params of;
    of.add(known->incarnation).add_text(known->node_id);
    auto row = connection.run(mine, of);
    if (!row) return tl::unexpected(std::move(row.error()));
    if (row->count() == 1 && row->flag(0, 0))
      return Registered{*known, static_cast<transcript::Sequence>(row->integer(0, 1))};
    if (row->count() == 1 && row->flag(0, 2))
      return database_error(Trouble::fenced,
                            "a newer process with the same node_id has registered: is this a copy "
                            "of a data directory?");
    was_fenced = row->count() == 1;
  }
  auto registered = Registering(connection, shipping, facts).run();
  if (registered) registered->was_fenced = was_fenced;
  return registered;
}

}  // namespace verbatim::shipping
