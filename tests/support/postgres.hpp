// A PostgreSQL server for one test program: a cluster in a folder of its own, reached by a socket
// in that folder. The server refuses to run as root, so then it runs as the user postgres.
#pragma once

#include <string>

#include "config/settings.hpp"
#include "tests/support/temp_dir.hpp"

namespace verbatim::testing {

class Postgres {
 public:
  /// Makes and starts the cluster. Throws if PostgreSQL 15 is not installed.
  Postgres();
  ~Postgres();
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  /// The one of this program, started at the first call.
  static Postgres& shared();

  /// An empty database; returns its name.
  std::string make_database();
  std::string url(const std::string& database, const std::string& user = "relay") const;
  void start();
  /// kill -9 of the server with all its children.
  void kill();
  /// By psql as the owner of the cluster. Returns what it prints, unaligned and without a heading.
  std::string sql(const std::string& database, const std::string& text) const;

 private:
  std::string as_server(const std::string& command) const;

  test::TempDir folder_;
  int databases_ = 0;
};

/// Settings of a fleet with this URL, and short pauses.
config::Fleet fleet_settings(const std::string& url);

}  // namespace verbatim::testing
