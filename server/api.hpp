// The HTTP API: which path and method, who may, what it answers. Reading goes to the store's own
// thread, changes to the journal's writer.
//
// One object for all workers.
#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "config/settings.hpp"
#include "server/auth.hpp"
#include "server/handoff.hpp"
#include "server/http.hpp"
#include "server/log.hpp"
#include "server/metrics.hpp"
#include "server/registry.hpp"
#include "server/reloadable.hpp"
#include "server/storage_watch.hpp"
#include "server/upstream.hpp"
#include "storage/sqlite_journal.hpp"

namespace verbatim::server {

struct ApiParts {
  const config::Settings& settings;
  const Reloadable<const Authenticator>& authenticator;
  const Upstream& upstream;
  storage::SqliteJournal& journal;
  const StorageWatch& storage;
  StoreReader& reader;
  Registry& registry;
  Metrics& metrics;
  Log& log;
};

class Api {
 public:
  explicit Api(ApiParts parts) : parts_(parts) {}

  Awaitable<HttpResponse> answer(HttpRequest request, Worker& worker);

 private:
  /// What a handler works with.
  struct Context {
    HttpRequest& request;
    Worker& worker;
    std::string id;  ///< the {id} of the path
    Principal principal;
  };
  using Handler = Awaitable<HttpResponse> (Api::*)(Context&);
  enum class Credential { none, back_end, back_end_or_own_session };
  struct Route {
    const char* method;
    const char* path;  ///< {id} stands for one segment
    Credential credential;
    Handler handler;
  };
  static const Route routes[];

  std::optional<HttpResponse> refuse(const Route& route, Context& context) const;

  Awaitable<HttpResponse> create_client_secret(Context&);
  Awaitable<HttpResponse> list_sessions(Context&);
  Awaitable<HttpResponse> show_session(Context&);
  Awaitable<HttpResponse> show_transcript(Context&);
  Awaitable<HttpResponse> erase_session(Context&);
  Awaitable<HttpResponse> health(Context&);
  Awaitable<HttpResponse> ready(Context&);
  Awaitable<HttpResponse> show_metrics(Context&);
  Awaitable<HttpResponse> version(Context&);

  /// What a check for /readyz found. Nobody needs a key to ask, and a check costs a sync or a TLS
  /// handshake: its answer is kept a while.
  class Kept {
   public:
    std::optional<std::string> get(Clock::duration for_how_long) const;
    void set(std::string answer);

   private:
    mutable std::mutex mutex_;
    Clock::time_point at_{};
    std::string answer_;
  };
  Awaitable<std::string> journal_trouble(Worker& worker);
  Awaitable<std::string> upstream_trouble(Worker& worker);

  ApiParts parts_;
  Kept journal_answer_;
  Kept upstream_answer_;
};

}  // namespace verbatim::server
