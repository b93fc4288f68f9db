#include "tests/support/postgres.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "base/url.hpp"

namespace verbatim::testing {

namespace {

const std::string programs = "/usr/lib/postgresql/15/bin/";

struct Ran {
  int status = 0;
  std::string output;
};

Ran run(const std::string& command) {
  Ran ran;
  FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("no pipe");
  std::array<char, 4096> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), pipe))
    ran.output.append(buffer.data(), size);
  ran.status = ::pclose(pipe);
  return ran;
}

std::string require(const std::string& command) {
  const Ran ran = run(command);
  if (ran.status != 0) throw std::runtime_error(command + ": " + ran.output);
  return ran.output;
}

}  // namespace

std::string Postgres::as_server(const std::string& command) const {
  // The folder of the test program may be closed to that user.
  const std::string there = "cd " + folder_.path().string() + " && ";
  return there + (::geteuid() == 0 ? "runuser -u postgres -- " : "") + programs + command;
}

Postgres::Postgres() {
  if (!std::filesystem::exists(programs + "postgres"))
    throw std::runtime_error("these tests need postgresql-15: scripts/packages e2e");
  const std::string name = folder_.path().string();
  if (::geteuid() == 0) require("chown postgres " + name);
  require(as_server("initdb --no-sync -A trust -U relay -D " + name + "/data"));
  start();
}

Postgres::~Postgres() {
  run(as_server("pg_ctl -m immediate -D " + folder_.path().string() + "/data stop"));
}

Postgres& Postgres::shared() {
  static Postgres one;
  return one;
}

void Postgres::start() {
  require(as_server("pg_ctl -w -t 60 -D " + folder_.path().string() + "/data -l " +
                    folder_.path().string() + "/log -o \"-k " + folder_.path().string() +
                    " -c listen_addresses='' -c fsync=off -c max_connections=30\" start"));
}

void Postgres::kill() {
  std::ifstream file(folder_ / "data" / "postmaster.pid");
  int parent = 0;
  file >> parent;
  if (parent <= 1) throw std::runtime_error("the server does not run");
  // Its children end when they see that their parent has gone, which may take a moment.
  const std::string children = run("pgrep -P " + std::to_string(parent)).output;
  ::kill(parent, SIGKILL);
  std::string rest = children;
  while (!rest.empty()) {
    const int child = std::atoi(rest.c_str());
    if (child > 1) ::kill(child, SIGKILL);
    rest.erase(0, rest.find('\n') == rest.npos ? rest.size() : rest.find('\n') + 1);
  }
  while (::kill(parent, 0) == 0) ::usleep(1000);
}

std::string Postgres::url(const std::string& database, const std::string& user) const {
  return "postgresql://" + user + "@" + percent_encoded(folder_.path().string()) + "/" + database;
}

std::string Postgres::make_database() {
  const std::string name = "t" + std::to_string(++databases_);
  sql("postgres", "CREATE DATABASE " + name);
  return name;
}

std::string Postgres::sql(const std::string& database, const std::string& text) const {
  std::ofstream(folder_ / "statement.sql") << text;
  return require(programs + "psql -X -q -A -t -v ON_ERROR_STOP=1 -U relay -h " +
                 folder_.path().string() + " -f " + (folder_ / "statement.sql").string() + " " +
                 database);
}

config::Fleet fleet_settings(const std::string& url) {
  config::Fleet settings = config::Settings().fleet;
  settings.url = Secret(url);
  settings.linger = std::chrono::milliseconds(2);
  settings.retry_min = std::chrono::milliseconds(5);
  settings.retry_max = std::chrono::milliseconds(50);
  settings.read_bytes_max = 64 * 1024 * 1024;
  return settings;
}

}  // namespace verbatim::testing
