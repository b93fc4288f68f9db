// How handlers reach the store. A call that fails is a refusal, so that a handler passes it on.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/api/responses.hpp"
#include "server/net/from_callback.hpp"
#include "server/net/result.hpp"
#include "storage/store/call.hpp"

namespace verbatim::api {

/// 503. `detail`: sentences for the caller.
net::HttpResponse fleet_database_unavailable(const std::string& detail);

/// 503. The error's message goes to the log: it names files.
net::HttpResponse storage_problem(Log& log, const store::StorageError& error);

/// The result of `call(done)`, which begins a call of the store.
template <class T = void, class Call>
net::Awaitable<store::StoreResult<T>> from_store(const RequestContext& context, Call call) {
  co_return co_await net::from_callback<store::StoreResult<T>>(context.executor(), call);
}

/// The same; an error is a 503.
template <class T, class Call>
net::Awaitable<net::Result<T>> ask_store(const ApiParts& api, const RequestContext& context,
                                         Call call) {
  auto found = co_await net::from_callback<store::StoreResult<T>>(context.executor(), call);
  if (!found) co_return net::Refusal(storage_problem(api.log, found.error()));
  co_return net::Result<T>(tl::in_place, *std::move(found));
}

/// The same for a call that may find nothing, which is a 404.
template <class T, class Call>
net::Awaitable<net::Result<T>> find_in_store(const ApiParts& api, const RequestContext& context,
                                             Call call,
                                             net::HttpResponse (*missing)() = not_found) {
  auto found = co_await ask_store<std::optional<T>>(api, context, call);
  if (!found) co_return net::Refusal(std::move(found).error());
  if (!*found) co_return net::Refusal(missing());
  co_return net::Result<T>(tl::in_place, **std::move(found));
}

/// A function for a read's result: passes `compute(found)` on to `done`. So `compute` runs on the
/// store's thread, where it delays no conversation.
template <class Found, class Compute, class Done>
auto compute_then(Compute compute, Done done) {
  using Computed = store::StoreResult<std::invoke_result_t<Compute&, Found>>;
  return [compute = std::move(compute),
          done = std::move(done)](store::StoreResult<Found> found) mutable {
    if (!found) return done(Computed(tl::unexpect, std::move(found).error()));
    done(Computed(compute(*std::move(found))));
  };
}

}  // namespace verbatim::api
