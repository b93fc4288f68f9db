#include "server/api/fleet_json.hpp"

#include "base/json/dump.hpp"
#include "base/json/tree.hpp"

namespace verbatim::api {

namespace {

double in_seconds(std::int64_t ms) { return static_cast<double>(ms) / 1000; }

Json node_json(const relay::FleetNode& node, std::int64_t own) {
  Json shown = {{"node_id", node.node_id},
                {"incarnation", node.incarnation},
                {"this", node.incarnation == own},
                {"url", or_null(node.url)},
                {"state", state_of(node)},
                {"version", node.version},
                {"schema", node.schema},
                {"started_at", iso_time(node.started_at)},
                {"lease_seconds", in_seconds(node.lease_ms)},
                {"lag_seconds", in_seconds(node.lag_ms)},
                {"shipped", node.shipped},
                {"sessions", node.sessions},
                {"left_copies", node.left_copies}};
  shown["fenced_by"] = node.fenced_by ? Json(*node.fenced_by) : Json();
  return shown;
}

}  // namespace

const char* state_of(const relay::FleetNode& node) {
  if (node.forgotten) return "forgotten";
  if (node.alive) return node.lease_ms >= 0 ? "alive" : "silent";
  return node.fenced_by == node.incarnation ? "left" : "fenced";
}

Json to_json(const relay::Fleet& fleet, std::int64_t own) {
  Json nodes = Json::array();
  for (const relay::FleetNode& node : fleet.nodes) nodes.push_back(node_json(node, own));
  return {{"schema", fleet.schema}, {"nodes", std::move(nodes)}};
}

}  // namespace verbatim::api
