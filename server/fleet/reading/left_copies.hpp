// Takes the copies of this node's sessions that other nodes kept while it did not answer into its
// own store, so that its answers have them too.
//
// On the control thread; the work is done by the reader's thread and the store.
#pragma once

#include "base/log.hpp"
#include "server/fleet/reading/copy_posts.hpp"
#include "server/fleet/reading/reader.hpp"
#include "server/net/async.hpp"
#include "storage/store/copy_store.hpp"

namespace verbatim::reading {

class LeftCopies {
 public:
  /// All must outlive it. `incarnation`: this node's; 0: it has not registered yet.
  LeftCopies(Reader& reader, store::CopyStore& own, std::function<std::int64_t()> incarnation,
             Log& log)
      : reader_(reader), own_(own), incarnation_(std::move(incarnation)), log_(log) {}

  /// Looks for copies until the executor ends.
  net::Awaitable<void> take_always(net::Executor executor);

 private:
  net::Awaitable<bool> take(net::Executor executor);
  net::Awaitable<bool> take_one(net::Executor executor, LeftCopy copy);

  Reader& reader_;
  store::CopyStore& own_;
  const std::function<std::int64_t()> incarnation_;
  Log& log_;
};

}  // namespace verbatim::reading
