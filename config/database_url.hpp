// The URL of a PostgreSQL database, as its own tools write it:
// postgresql://user:password@host1:5432,host2/name?sslmode=verify-full. Several hosts are the
// members of one cluster.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verbatim::config {

struct DatabaseUrl {
  std::string user;      ///< decoded; empty: not given
  std::string password;  ///< decoded; empty: none
  std::vector<std::string> hosts;
  std::string name;  ///< of the database; empty: not given
  std::vector<std::pair<std::string, std::string>> parameters;  ///< decoded

  /// The value of a parameter; nullopt if the URL lacks it.
  std::optional<std::string> parameter(std::string_view name) const;
  /// Every value that must not be shown, as written and decoded.
  std::vector<std::string> secrets() const;

  std::vector<std::string> written_secrets;  ///< as they stand in the URL
  std::vector<std::size_t> secret_places;    ///< the beginning of each, in rising order
};

/// Throws BadValue, which repeats nothing of the URL.
DatabaseUrl parse_database_url(std::string_view text);
/// The URL with `***` for every value that must not be shown. Empty stays empty.
std::string masked_database_url(std::string_view text);

}  // namespace verbatim::config
