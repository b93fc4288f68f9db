// The settings of a fleet: its database's URL, and what contradicts.
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

#include "base/json/tree.hpp"
#include "config/database_url.hpp"
#include "config/settings.hpp"
#include "tests/config/errors.hpp"

namespace verbatim::config {
namespace {

using Catch::Contains;

const std::string planted = "Swordfish%2F77";
const std::string with_password =
    "postgresql://relay:" + planted + "@db1.example:5433,[2001:db8::1]/words?sslmode=verify-full";

Settings fleet(std::vector<std::string> assignments, std::vector<std::string> environment = {}) {
  environment.push_back("VERBATIM_AUTH_TOKEN_SECRET=0123456789abcdef0123456789abcdef");
  return load({{}, std::move(assignments), std::move(environment)});
}

}  // namespace

TEST_CASE("a database's URL is read with all members, user, name and parameters",
          "[config][fleet]") {
  const DatabaseUrl url = parse_database_url(with_password);
  CHECK(url.user == "relay");
  CHECK(url.password == "Swordfish/77");
  CHECK(url.hosts == std::vector<std::string>{"db1.example:5433", "[2001:db8::1]"});
  CHECK(url.name == "words");
  CHECK(url.parameter("sslmode") == "verify-full");
  CHECK_FALSE(url.parameter("password"));
  CHECK(parse_database_url("postgres://h").hosts == std::vector<std::string>{"h"});
  CHECK(parse_database_url("postgresql:///words?host=/run/postgresql").name == "words");
  CHECK(parse_database_url("postgresql://%2Frun%2Fpostgresql/words").name == "words");
}

TEST_CASE("a URL that is not a database's is refused with the reason, and is not repeated",
          "[config][fleet]") {
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"mysql://h/x", "does not begin with postgresql://"},
           {"host=a dbname=b", "does not begin with postgresql://"},
           {"postgresql:///words", "has no host"},
           {"postgresql://h:99999/x", "port"},
           {"postgresql://h!/x", "not valid in a host name"},
           {"postgresql://h/x?sslmode", "not name=value"},
           {"postgresql://h/x y", "has a blank"},
           {"postgresql://u:p%zz@h/x", "two hexadecimal digits"}}) {
    INFO(text);
    const std::string error = error_with({"fleet.url=" + text});
    CHECK_THAT(error, Contains("--set fleet.url") && Contains(why));
    CHECK_THAT(error, !Contains(text));
  }
}

TEST_CASE("the password of a database comes from the environment or a file only, and is masked",
          "[config][fleet]") {
  const std::string refused = error_with({"fleet.url=" + with_password});
  CHECK_THAT(refused, Contains("fleet.url_file or VERBATIM_FLEET_URL") && !Contains(planted));
  CHECK_THAT(error_with({"fleet.url=postgresql://h/x?password=" + planted}),
             Contains("contains a password") && !Contains(planted));

  const Settings settings = fleet({}, {"VERBATIM_FLEET_URL=" + with_password});
  CHECK(settings.fleet.url.reveal() == with_password);
  for (const std::string& shown : {to_toml(settings), to_json(settings)}) {
    CHECK_THAT(shown, !Contains(planted));
    CHECK_THAT(shown, Contains("postgresql://relay:***@db1.example:5433,[2001:db8::1]/words"));
  }
  CHECK(masked_database_url("postgresql://h/x?sslpassword=abc&sslmode=require") ==
        "postgresql://h/x?sslpassword=***&sslmode=require");
  CHECK(masked_database_url("postgresql://abc:abc@h:5432/abc") ==
        "postgresql://abc:***@h:5432/abc");
  CHECK(masked_database_url("postgresql://u@h/d?application_name=relay&password=relay") ==
        "postgresql://u@h/d?application_name=relay&password=***");
  CHECK(masked_database_url("postgresql://u@h/d?sslmode=require&password=r") ==
        "postgresql://u@h/d?sslmode=require&password=***");
  CHECK(parse_database_url(with_password).secrets() ==
        std::vector<std::string>{planted, "Swordfish/77"});
}

TEST_CASE("the file of a database's URL is read, and checked as the URL is", "[config][fleet]") {
  const std::string file = std::tmpnam(nullptr);
  std::ofstream(file) << with_password << "\n";
  CHECK(fleet({"fleet.url_file=" + file}).fleet.url.reveal() == with_password);
  std::ofstream(file) << "mysql://u:" << planted << "@h/x";
  const std::string error = error_with({"fleet.url_file=" + file});
  CHECK_THAT(error, Contains("names a file whose content does not begin with postgresql://"));
  CHECK_THAT(error, !Contains(planted));
  std::remove(file.c_str());
}

TEST_CASE("settings of a fleet that contradict each other are refused", "[config][fleet]") {
  const std::string url = "fleet.url=postgresql://localhost/words";
  CHECK_THAT(error_with({"fleet.ship=before"}), Contains("there is no database: set fleet.url"));
  CHECK_THAT(error_with({"fleet.peer_url=https://a:1"}), Contains("there is no database"));
  CHECK_THAT(error_with({url, "fleet.peer_url=https://a:1"}),
             Contains("fleet.peer_url: is set without auth.token_secret_file"));
  CHECK_THAT(error_with({"fleet.retry_min=10s"}),
             Contains("10s is longer than fleet.retry_max, which is 5s"));
  CHECK_THAT(error_with({"fleet.lease_ttl=40s"}),
             Contains("fleet.dead_after: 1m is shorter than two times fleet.lease_ttl"));
  CHECK_THAT(error_with({"fleet.keep_shipped=1s"}),
             Contains("1s is shorter than fleet.lease_ttl, which is 2s"));
  CHECK_THAT(error_with({url, "fleet.ship=before", "testing.forward_before_commit=true"}),
             Contains("before it is stored anywhere"));
  CHECK_THAT(error_with({url, "recording.enabled=yes"}),
             Contains("recording.enabled: is not `no`: a fleet"));
  CHECK(error_with({"recording.enabled=token"}).empty());
  CHECK(error_with({url, "fleet.ship=before"}).empty());
  CHECK(fleet({url, "fleet.peer_url=https://a.example/"}).fleet.peer_url == "https://a.example");
}

TEST_CASE("the address for other relays is https with a host and nothing else", "[config][fleet]") {
  const std::string url = "fleet.url=postgresql://localhost/words";
  for (const char* bad :
       {"http://a:1", "a:1", "https://", "https://u@a:1", "https://a:1/x", "https://a:1/?x=1"}) {
    INFO(bad);
    CHECK_THAT(error_with({url, std::string("fleet.peer_url=") + bad}),
               Contains("expected https://host[:port]"));
  }
}

TEST_CASE("a warning says when the database's server is not verified", "[config][fleet]") {
  const auto warnings = [](const std::string& url) { return fleet({"fleet.url=" + url}).warnings; };
  CHECK(warnings("postgresql://db.example/x").empty());
  CHECK(warnings("postgresql://db.example/x?sslmode=verify-full").empty());
  CHECK(warnings("postgresql://127.0.0.1:5432,localhost/x?sslmode=disable").empty());
  CHECK(warnings("postgresql://%2Frun%2Fpostgresql/x?sslmode=disable").empty());
  CHECK_THAT(warnings("postgresql://localhost,db.example/x?sslmode=disable").at(0),
             Contains("sslmode=disable may send conversations"));
  CHECK_THAT(warnings("postgresql://db.example/x?sslmode=require").at(0),
             Contains("does not verify the name"));
}

}  // namespace verbatim::config
