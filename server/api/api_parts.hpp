// The parts of the server that the API and its handlers use. Their types are only declared here: a
// handler includes the parts that it uses, and a change to another part does not rebuild it.
#pragma once

namespace verbatim {
class Log;
template <class T>
class Reloadable;
namespace config {
struct Settings;
}
namespace storage {
class CopyStore;
class SessionStore;
class StoreHealth;
class TailStore;
class TokenStore;
}  // namespace storage
}  // namespace verbatim

namespace verbatim::server {

class AnswerMemory;
class Authenticator;
class BodyMemory;
class Capture;
class Erasure;
class IdGuard;
class LargeMessages;
class LiveFeed;
class Metrics;
class OriginRules;
class Readiness;
class Registry;
class Revocations;
class StorageWatch;
class Upstream;
class Webhooks;
struct PostLimits;

/// Parts of the server; each outlives the API.
struct ApiParts {
  const config::Settings& settings;
  const Reloadable<const Authenticator>& authenticator;
  const Upstream& upstream;
  storage::SessionStore& sessions;
  storage::CopyStore& copies;
  storage::TokenStore& tokens;
  storage::TailStore& tails;
  storage::StoreHealth& health;
  const StorageWatch& storage;
  const Webhooks& webhooks;
  Erasure& erasure;
  LiveFeed& feed;
  Registry& registry;
  Revocations& revocations;
  Metrics& metrics;
  const LargeMessages& large_messages;
  const BodyMemory& bodies;
  const IdGuard& ids;
  AnswerMemory& answers;
  Capture* capture;  ///< null: nothing is captured
  Log& log;
};

/// These, and what the API has of its own.
struct ApiServices : ApiParts {
  const OriginRules& origins;
  PostLimits& post_limits;
  Readiness& readiness;
};

}  // namespace verbatim::server
