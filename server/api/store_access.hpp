// How handlers reach the store: reads run on the store's own threads, changes on the journal's
// writer. A read that fails is a refusal, so that a handler passes it on.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "server/api/api_parts.hpp"
#include "server/api/request_context.hpp"
#include "server/api/responses.hpp"
#include "server/net/result.hpp"
#include "server/store/merger.hpp"
#include "server/store/store_reader.hpp"

namespace verbatim::server {

/// 503. The error's message goes to the log: it names files.
HttpResponse storage_problem(Log& log, const storage::StorageError& error);

/// Runs `work` on the journal's writer; the error it met, or nullopt.
Awaitable<std::optional<storage::StorageError>> change_store(
    const ApiParts& api, const RequestContext& context,
    std::function<void(storage::Database&)> work);

/// The type that `Read` returns for a store.
template <class Read>
using Found = std::invoke_result_t<const Read&, storage::TranscriptStore&>;

template <class T>
Result<T> or_storage_problem(Log& log, std::variant<T, storage::StorageError> outcome) {
  if (const auto* error = std::get_if<1>(&outcome)) return Refusal(storage_problem(log, *error));
  return Result<T>(tl::in_place, std::get<0>(std::move(outcome)));
}

/// The value that was found, or 404 if none was.
template <class T>
Result<T> or_missing(Result<std::optional<T>> read, HttpResponse (*missing)() = not_found) {
  if (!read) return Refusal(std::move(read).error());
  if (!*read) return Refusal(missing());
  return Result<T>(tl::in_place, **std::move(read));
}

/// The result of `read(store)`. `what`, a literal, names the read to an operator if it lasts long.
template <class Read>
Awaitable<Result<Found<Read>>> read_store(const ApiParts& api, const RequestContext& context,
                                          Read read, const char* what) {
  auto outcome = co_await api.reader.run<Found<Read>>(context.executor(), read, what);
  co_return or_storage_problem(api.log, std::move(outcome));
}

/// The same on a reader that merges, in turns with the reads of other shares.
template <class Read>
Awaitable<Result<Found<Read>>> read_in_turn(const ApiParts& api, const RequestContext& context,
                                            StoreReader& reader, Read read, const char* what) {
  auto outcome = co_await reader.run<Found<Read>>(context.executor(), read, what, context.share());
  co_return or_storage_problem(api.log, std::move(outcome));
}

/// Reads something of the session that the request names: on a thread that merges, if writers have
/// posted copies. `read` returns an optional; 404 if that is empty.
template <class Read>
Awaitable<Result<typename Found<Read>::value_type>> read_merged(
    const ApiParts& api, const RequestContext& context, Read read, const char* what,
    HttpResponse (*missing)() = not_found) {
  using Quick = std::optional<Found<Read>>;
  const auto lane = std::make_shared<storage::MergeLane>(storage::MergeLane::quick);
  const auto unless_copied = [id = context.id, read,
                              lane](storage::TranscriptStore& store) -> Quick {
    if (const auto copied = storage::merge_lane(store.database(), id)) {
      *lane = *copied;
      return std::nullopt;
    }
    return Quick(std::in_place, read(store));
  };
  auto quick = co_await read_in_turn(api, context, api.reader, unless_copied, what);
  if (!quick) co_return Refusal(std::move(quick).error());
  if (*quick) co_return or_missing(Result<Found<Read>>(**std::move(quick)), missing);
  auto merged = co_await read_in_turn(api, context, api.merger.of(*lane), read, what);
  co_return or_missing(std::move(merged), missing);
}

}  // namespace verbatim::server
