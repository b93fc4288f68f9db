// Declares the settings of a fleet: several relays with one PostgreSQL database.
#include "config/database_url.hpp"
#include "config/declare.hpp"
#include "config/secrets.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

namespace {

const char* const url_form = "postgresql://[user[:password]@]host[:port][,host...][/database]";

Format<Secret> database_url() {
  return {
      Shape::text,
      std::string(url_form) +
          "[?sslmode=...] (with a password only from the environment), or nothing",
      [](const Value& value, Source source) {
        const std::string& text = string_of(value);
        if (text.empty()) return Secret();
        if (!parse_database_url(text).written_secrets.empty() && source != Source::environment)
          throw BadValue("contains a password: use fleet.url_file or VERBATIM_FLEET_URL instead");
        return Secret(text);
      },
      [](const Secret& url) { return Value(masked_database_url(url.reveal())); }};
}

Format<Secret> database_url_file() {
  return {Shape::text, std::string("a file that holds ") + url_form,
          [](const Value& value, Source) {
            Secret url = read_secret_file(string_of(value));
            try {
              parse_database_url(url.reveal());
            } catch (const BadValue& bad) {
              throw BadValue(std::string("names a file whose content ") + bad.what());
            }
            return url;
          },
          nullptr};
}

/// The address at which other nodes reach this one.
Format<std::string> peer_url() {
  return {Shape::text, "https://host[:port], or nothing",
          [](const Value& value, Source) {
            const std::string& text = string_of(value);
            if (text.empty()) return text;
            const Url url = required_url(text);
            if (url.scheme != "https")
              throw BadValue("has the scheme " + url.scheme + ": conversations pass here");
            if (url.user_info) throw BadValue("contains a user or password");
            if (!(url.query + url.fragment).empty()) throw BadValue("has a query or fragment");
            if (!url.path.empty() && url.path != "/") throw BadValue("has a path");
            return url.scheme + "://" + authority(url.host, url.port);
          },
          [](const std::string& text) { return Value(text); }};
}

}  // namespace

std::vector<Key> make_fleet_keys() {
  std::vector<Key> table{
      key("fleet.url", &S::fleet, &Fleet::url, {}, database_url(),
          "The PostgreSQL database that all relays of a fleet share: docs/fleet.md. Empty: this "
          "relay is alone. Name all members of a cluster: the one that can be written is found. "
          "Without sslmode the connection is encrypted and the database's certificate verified "
          "(verify-full)."),
      watched(key("fleet.url_file", &S::fleet, &Fleet::url, {}, database_url_file(),
                  "The same from a file, for a URL with a password."),
              the_file),
      key("fleet.ca_file", &S::fleet, &Fleet::ca_file, {}, path("a PEM file, or nothing"),
          "The authorities that sign the certificates of the database and of the other relays. "
          "Empty: the system's."),
      key("fleet.peer_url", &S::fleet, &Fleet::peer_url, {}, peer_url(),
          "The address at which the other relays reach this one, behind no load balancer. Empty: "
          "they cannot reach it, so a client that comes to another relay finds its conversation "
          "only after this relay has ended. Needs auth.token_secret_file, the same on all relays."),
      key("fleet.peer_timeout", &S::fleet, &Fleet::peer_timeout, 300ms, duration(10ms, 1min),
          "Another relay that does not answer this one within this time counts as not reachable."),
      key("fleet.ship", &S::fleet, &Fleet::ship, Ship::behind,
          choice<Ship>({{"behind", Ship::behind}, {"before", Ship::before}}),
          "`behind`: text waits for this relay's disk only, and reaches the database moments "
          "later. `before`: text also waits for the database, so that the loss of a relay with "
          "its disk costs no word."),
      key("fleet.require_replica", &S::fleet, &Fleet::require_replica, true, boolean(),
          "With `before`: a database that confirms a commit before a replica has it counts as not "
          "reachable. Set it to false for a database whose storage is replicated in another way, "
          "such as Aurora or CockroachDB."),
      key("fleet.when_unreachable", &S::fleet, &Fleet::when_unreachable, WhenUnreachable::refuse,
          choice<WhenUnreachable>(
              {{"refuse", WhenUnreachable::refuse}, {"go_on", WhenUnreachable::go_on}}),
          "With `before`, while the database cannot be reached. `refuse`: no new sessions; live "
          "ones end with storage_failure after journal.full_retry. `go_on`: as `behind` until it "
          "is back, with an error in the log."),
      key("fleet.linger", &S::fleet, &Fleet::linger, 20ms, duration(0s, 1s),
          "The pause between two batches with `behind`, unless one is full. A longer pause costs "
          "less: with 0s the relay and the database need three to six times the CPU."),
      key("fleet.batch_events_max", &S::fleet, &Fleet::batch_events_max, 2'000,
          number<std::size_t>(1, 100'000), "Events and bytes of one batch, at most."),
      key("fleet.batch_bytes_max", &S::fleet, &Fleet::batch_bytes_max, MiB,
          bytes(4 * KiB, 64 * MiB), with_the_last),
      key("fleet.batches_in_flight", &S::fleet, &Fleet::batches_in_flight, 8,
          number<std::size_t>(1, 64),
          "Batches that may wait for the database's answer at once. With `before` half of that "
          "number."),
      key("fleet.connect_timeout", &S::fleet, &Fleet::connect_timeout, 5s, duration(100ms, 5min),
          "Time for one member of the database to accept the connection, and for each further step "
          "until the connection can be used."),
      key("fleet.silence_max", &S::fleet, &Fleet::silence_max, 10s, duration(1s, 10min),
          "A connection on which the database acknowledges nothing for this long is given up, and "
          "another is made."),
      key("fleet.retry_min", &S::fleet, &Fleet::retry_min, 100ms, duration(10ms, 1h),
          "The pause before a connection is tried again. It doubles with each further try, with "
          "random spread."),
      key("fleet.retry_max", &S::fleet, &Fleet::retry_max, 5s, duration(10ms, 1h),
          "The longest of these pauses."),
      key("fleet.keep_shipped", &S::fleet, &Fleet::keep_shipped, 10min, duration(1s, 7 * day),
          "How long this relay keeps what the database has confirmed. A replica that takes over "
          "may lack the last of it, which is then sent again."),
      key("fleet.backlog_bytes_max", &S::fleet, &Fleet::backlog_bytes_max, 8 * GiB,
          bytes(MiB, 1024 * GiB),
          "Data that waits for the database. Beyond it new sessions get 503; live ones go on. The "
          "default is about an hour of 10,000 events a second."),
      key("fleet.read_bytes_max", &S::fleet, &Fleet::read_bytes_max, 256 * MiB,
          bytes(MiB, 64 * GiB),
          "The rows of one session, when it is read from the database because its relay does not "
          "answer. A larger one gets 503."),
      key("fleet.lease_ttl", &S::fleet, &Fleet::lease_ttl, 2s, duration(500ms, 1min),
          "How long a relay owns its conversations without a renewal, by the database's clock. "
          "A client whose relay has died waits about this long. The relay renews its lease four "
          "times in this time."),
      key("fleet.dead_after", &S::fleet, &Fleet::dead_after, 1min, duration(5s, day),
          "A relay whose lease has been over for this long counts as dead: the others end the "
          "conversations whose clients have not come back."),
  };
  for (Key& key : table)
    if (key.name == "fleet.url_file") {
      key.role = Role::secret_file;
      key.example = "/run/secrets/fleet-url";
    }
  return table;
}

}  // namespace verbatim::config
