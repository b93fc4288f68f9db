// The nodes of the fleet, for operators: GET /v1/fleet and `verbatim fleet`.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "server/fleet/database/connection.hpp"
#include "server/fleet/reading/reader.hpp"
#include "server/relay/fleet_nodes.hpp"

namespace verbatim::reading {

/// The latest start of each node. On the thread of the connection.
database::DatabaseResult<relay::Fleet> list_nodes(database::Connection& connection);

/// The nodes that an operator can mean by `name`: the one whose id, incarnation or URL it is. If it
/// is none of these, those whose id begins with it; such a beginning has 8 characters at least, so
/// that a mistyped incarnation never names another node.
std::vector<relay::FleetNode> nodes_named(const relay::Fleet& fleet, const std::string& name);

/// list_nodes() for the API. Any thread.
class NodeList final : public relay::FleetNodes {
 public:
  /// `reader` must outlive it. `incarnation`: this node's; 0: it has not registered.
  NodeList(Reader& reader, std::function<std::int64_t()> incarnation)
      : reader_(reader), incarnation_(std::move(incarnation)) {}

  void read(store::Done<relay::Fleet> done) override;
  std::int64_t own_incarnation() const override { return incarnation_(); }

 private:
  Reader& reader_;
  const std::function<std::int64_t()> incarnation_;
};

}  // namespace verbatim::reading
