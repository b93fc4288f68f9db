// The parts of the server that the API and its handlers use. Their types are only declared here: a
// handler includes the parts that it uses, and a change to another part does not rebuild it.
#pragma once

namespace verbatim::access {
class Authenticator;
class IdGuard;
class OriginRules;
class Revocations;
}  // namespace verbatim::access

namespace verbatim::bucket {
class Uploads;
}  // namespace verbatim::bucket

namespace verbatim::config {
struct Settings;
}  // namespace verbatim::config

namespace verbatim::net {
class AnswerMemory;
class BodyMemory;
class LargeMessages;
class RequestCounts;
}  // namespace verbatim::net

namespace verbatim::relay {
class Capture;
class Erasure;
class Metrics;
class Peers;
class Recordings;
class Registry;
class SessionEnder;
class StorageWatch;
class Upstream;
}  // namespace verbatim::relay

namespace verbatim::repair {
class Repairs;
}  // namespace verbatim::repair

namespace verbatim::store {
class CopyStore;
class RecordingStore;
class SessionStore;
class StoreHealth;
class TailStore;
class TokenStore;
}  // namespace verbatim::store

namespace verbatim::traces {
class Tracer;
}  // namespace verbatim::traces

namespace verbatim::webhooks {
class Webhooks;
}  // namespace verbatim::webhooks

namespace verbatim {
class Log;
template <class T>
class Reloadable;
}  // namespace verbatim

namespace verbatim::api {

class LiveFeed;
class Readiness;
struct PostLimits;
struct SharedStore;

/// Parts of the server, except the stores; each outlives the API.
struct ApiParts {
  const Reloadable<const config::Settings>& settings;  ///< in force
  const Reloadable<const access::Authenticator>& authenticator;
  const relay::Upstream& upstream;
  store::StoreHealth& health;
  const relay::StorageWatch& storage;
  const webhooks::Webhooks& webhooks;
  const traces::Tracer& tracer;
  relay::Erasure& erasure;
  relay::SessionEnder& ender;
  LiveFeed& feed;
  relay::Registry& registry;
  access::Revocations& revocations;
  relay::Metrics& metrics;
  const net::LargeMessages& large_messages;
  const net::BodyMemory& bodies;
  net::RequestCounts& requests;
  const access::IdGuard& ids;
  net::AnswerMemory& answers;
  relay::Capture* capture;  ///< null: nothing is captured
  Log& log;
  relay::Peers* peers = nullptr;  ///< the other nodes of the fleet; null: this relay is alone
  relay::Recordings* recordings = nullptr;  ///< null: there are none
  repair::Repairs* repairs = nullptr;       ///< null: nothing is repaired
  bucket::Uploads* uploads = nullptr;       ///< null: no bucket has recordings
  const SharedStore* shared = nullptr;      ///< the fleet's database; null: there is none
};

/// The stores that answer: this node's own, or those of the fleet's database. Each outlives the
/// API.
struct ApiStores {
  store::SessionStore& sessions;
  store::CopyStore& copies;
  store::TokenStore& tokens;
  store::TailStore& tails;
  store::RecordingStore& recorded;
};

/// Both, and the parts that the API itself owns.
struct ApiServices : ApiParts, ApiStores {
  const Reloadable<const access::OriginRules>& origins;
  PostLimits& post_limits;
  Readiness& readiness;
};

}  // namespace verbatim::api
