// How a store is called: a call returns at once, and its result comes to a function. Errors are
// values; nothing that can happen at run time is an exception.
#pragma once

#include <functional>
#include <string>
#include <tl/expected.hpp>

#include "storage/store/error.hpp"

namespace verbatim::store {

template <class T = void>
using StoreResult = tl::expected<T, StorageError>;

/// Receives a call's result, once; never if the store is shut down first. Called on any thread, and
/// possibly before the call returns.
/// - Of a read: may compute, for example render what was read. It delays no conversation.
/// - Of a change: must return at once. The change is durable, or was undone.
template <class T = void>
using Done = std::function<void(StoreResult<T>)>;

/// A description of a read and of its owner.
struct ReadLabel {
  const char* what = "";   ///< a literal that names the read to an operator if it lasts long
  std::string share = {};  ///< owner of the read: several owners are served in turn
};

/// How long the posted copies of a session take to merge. quick: they are few and short; some
/// milliseconds, about a tenth of a second at worst. slow: a second or more, so that such merges
/// must not delay others.
enum class MergeLane { quick, slow };

}  // namespace verbatim::store
