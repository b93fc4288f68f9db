// Awaiting what another thread does: the journal's writer, the store's reader.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "server/await.hpp"
#include "storage/error.hpp"
#include "storage/thread_name.hpp"
#include "storage/transcript_store.hpp"

namespace verbatim::server {

/// Calls `start(done)`; whoever calls `done(result)`, on whatever thread, resumes us on ours.
/// `done` must be called once or never. Nothing if there is no result by the deadline.
template <class Result, class Start>
Awaitable<std::optional<Result>> from_callback(Executor executor, Clock::time_point deadline,
                                               Start start) {
  struct State {
    explicit State(const Executor& on) : bell(on) {}
    Doorbell bell;
    std::optional<Result> result;
  };
  const auto state = std::make_shared<State>(executor);
  start([state, executor](Result result) {
    asio::post(executor, [state, result = std::move(result)]() mutable {
      state->result = std::move(result);
      state->bell.ring();
    });
  });
  while (!state->result && Clock::now() < deadline) co_await state->bell.wait_until(deadline);
  co_return std::move(state->result);
}

/// The same without a deadline: the wait ends with the executor at the latest.
template <class Result, class Start>
Awaitable<Result> from_callback(Executor executor, Start start) {
  auto result = co_await from_callback<Result>(executor, Clock::time_point::max(), start);
  co_return std::move(*result);
}

/// The transcript store on a thread of its own, so that a slow read never stalls a session.
class StoreReader {
 public:
  explicit StoreReader(const std::filesystem::path& file) : store_(file) {}
  /// One that merges copies: its thread gives way to those that carry conversations.
  struct Merging {
    std::size_t merged_bytes_max = 0;  ///< as TranscriptStore
  };
  StoreReader(const std::filesystem::path& file, Merging merging)
      : store_(file, merging.merged_bytes_max) {
    asio::post(thread_, [] {
      storage::name_this_thread("merger");
      storage::give_way();
    });
  }
  ~StoreReader() { thread_.join(); }

  /// Runs `read(store)` there and returns what it returns, or the error that it threw.
  template <class Result, class Read>
  Awaitable<std::variant<Result, storage::StorageError>> run(Executor executor, Read read) {
    using Outcome = std::variant<Result, storage::StorageError>;
    auto start = [this, &read](auto done) {
      asio::post(thread_, [this, read, done]() mutable {
        try {
          done(Outcome(std::in_place_index<0>, read(store_)));
        } catch (const storage::StorageError& error) {
          done(Outcome(std::in_place_index<1>, error));
        }
      });
    };
    co_return co_await from_callback<Outcome>(executor, start);
  }

 private:
  storage::TranscriptStore store_;
  asio::thread_pool thread_{1};
};

}  // namespace verbatim::server
