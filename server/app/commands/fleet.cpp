// verbatim fleet status, fence, forget: by the fleet's database, so that they work while no relay
// does.
#include <iomanip>
#include <iostream>

#include "base/json/tree.hpp"
#include "server/app/commands/families.hpp"

#ifdef VERBATIM_FLEET

#include "server/api/fleet_json.hpp"
#include "server/fleet/reading/node_changes.hpp"
#include "server/fleet/reading/node_list.hpp"

#endif

namespace verbatim::app {

namespace {

struct NodeOptions {
  std::string node;
  bool force = false;
};

void add_node_options(CLI::App& parser, NodeOptions& options) {
  parser
      .add_option("node", options.node,
                  "a relay's node_id or its first 8 characters, incarnation or URL")
      ->required()
      ->check(not_empty());
  parser.add_flag("--force", options.force, "also if the relay holds its lease");
}

#ifdef VERBATIM_FLEET

using database::Connection;
using database::DatabaseError;
using database::DatabaseResult;

int fail_at_database(const DatabaseError& error) {
  const std::string advice = database::advice_for(error.trouble);
  return fail("the fleet's database: " + error.message + (advice.empty() ? "" : "; " + advice),
              exit_code::failed);
}

/// nullopt, with its reason printed: there is no fleet, or its database does not answer.
std::optional<Connection> connect_to_fleet(const config::Settings& settings) {
  if (settings.fleet.url.empty()) {
    fail("fleet.url is not set: this relay is alone", exit_code::failed);
    return std::nullopt;
  }
  auto opened = Connection::open(settings.fleet, "verbatim fleet", -1);
  if (opened) return *std::move(opened);
  fail_at_database(opened.error());
  return std::nullopt;
}

std::string in_words(std::int64_t ms) {
  const std::int64_t seconds = std::abs(ms) / 1000;
  if (seconds < 120) return std::to_string(seconds) + "s";
  if (seconds < 7200) return std::to_string(seconds / 60) + "min";
  return std::to_string(seconds / 3600) + "h";
}

std::string lease_of(const relay::FleetNode& node) {
  if (node.lease_ms >= 0) return "held";
  return "over for " + in_words(node.lease_ms);
}

void print_node(const relay::FleetNode& node) {
  std::cout << node.incarnation << "  " << node.node_id << "  " << api::state_of(node)
            << "  lease=" << lease_of(node) << "  lag=" << std::fixed << std::setprecision(1)
            << static_cast<double>(node.lag_ms) / 1000 << "s  sessions=" << node.sessions
            << "  version=" << node.version << "  schema=" << node.schema
            << "  url=" << (node.url.empty() ? "-" : node.url);
  if (node.left_copies > 0) std::cout << "  left_copies=" << node.left_copies;
  std::cout << "\n";
}

int show_status(const Common& common) {
  auto connection = connect_to_fleet(common.settings());
  if (!connection) return exit_code::failed;
  const auto fleet = reading::list_nodes(*connection);
  if (!fleet) return fail_at_database(fleet.error());
  if (common.as_json) {
    print(api::to_json(*fleet, 0));
    return exit_code::ok;
  }
  for (const relay::FleetNode& node : fleet->nodes) print_node(node);
  std::cerr << fleet->nodes.size() << " relays; the database has schema " << fleet->schema << ".\n";
  return exit_code::ok;
}

/// The node that the operator names, if it may be changed; else the exit code, with the reason
/// printed.
struct Chosen {
  std::optional<relay::FleetNode> node;
  int exit_code = 0;
};
Chosen choose_node(Connection& connection, const NodeOptions& options, const char* first) {
  const auto fleet = reading::list_nodes(connection);
  if (!fleet) return {std::nullopt, fail_at_database(fleet.error())};
  const auto found = reading::nodes_named(*fleet, options.node);
  if (found.empty())
    return {std::nullopt, fail("there is no relay " + options.node + ": see verbatim fleet status",
                               exit_code::not_found)};
  if (found.size() > 1)
    return {std::nullopt,
            fail(options.node + " names several relays: give a whole id, see verbatim fleet status",
                 exit_code::bad_usage)};
  const relay::FleetNode& node = found.front();
  if (node.alive && node.lease_ms >= 0 && !options.force)
    return {std::nullopt,
            fail("relay " + node.node_id + " holds its lease: " + first + ", or say --force",
                 exit_code::failed)};
  return {node, exit_code::ok};
}

using Change = std::function<DatabaseResult<bool>(Connection&, const relay::FleetNode&)>;

int change_node(const Common& common, const NodeOptions& options, const char* first,
                const Change& change, const char* name, const char* now) {
  auto connection = connect_to_fleet(common.settings());
  if (!connection) return exit_code::failed;
  const Chosen chosen = choose_node(*connection, options, first);
  if (!chosen.node) return chosen.exit_code;
  const auto changed = change(*connection, *chosen.node);
  if (!changed) return fail_at_database(changed.error());
  if (common.as_json) {
    print({{"node_id", chosen.node->node_id},
           {"incarnation", chosen.node->incarnation},
           {name, true},
           {"changed", *changed}});
  } else {
    std::cout << chosen.node->node_id << " " << (*changed ? "is now " : "was already ") << name
              << now << "\n";
  }
  return exit_code::ok;
}

int fence(const Common& common, const NodeOptions& options) {
  return change_node(
      common, options, "stop it",
      [](Connection& connection, const relay::FleetNode& node) {
        return reading::fence_node(connection, node.incarnation);
      },
      "fenced", "; other relays take its sessions.");
}

int forget(const Common& common, const NodeOptions& options) {
  return change_node(
      common, options, "stop it",
      [](Connection& connection, const relay::FleetNode& node) {
        return reading::forget_node(connection, node.node_id);
      },
      "forgotten", "; transcripts no longer wait for words that it had not shipped.");
}

#else

constexpr const char* no_fleet = "this program was built without the fleet (VERBATIM_FLEET=OFF)";
int show_status(const Common&) { return fail(no_fleet, exit_code::failed); }
int fence(const Common&, const NodeOptions&) { return fail(no_fleet, exit_code::failed); }
int forget(const Common&, const NodeOptions&) { return fail(no_fleet, exit_code::failed); }

#endif

}  // namespace

Family fleet_commands() {
  return {"fleet",
          "show the relays of a fleet, and decide about those that are gone",
          {command("status", "list the relays with their leases, lags and sessions", show_status),
           command("fence", "mark a relay as dead, so that others take its sessions",
                   add_node_options, fence),
           command("forget", "give up what a relay had not shipped", add_node_options, forget)}};
}

}  // namespace verbatim::app
