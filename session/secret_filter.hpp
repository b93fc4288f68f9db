// Keeps the provider's key out of what the relay passes on, logs or stores: providers and gateways
// repeat keys in their refusals.
//
// Any thread, without a lock; add() by one at a time. What was a secret once remains one: a peer
// may repeat a key that has been replaced.
#pragma once

#include <atomic>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/event.hpp"

namespace verbatim::session {

class SecretFilter {
 public:
  /// Hides nothing.
  SecretFilter() : SecretFilter(std::vector<std::string>()) {}
  /// Values of fewer than `length_min` bytes are not hidden: they stand in ordinary words.
  static constexpr std::size_t length_min = 4;
  explicit SecretFilter(std::vector<std::string> secrets);
  SecretFilter(const SecretFilter&) = delete;
  SecretFilter& operator=(const SecretFilter&) = delete;

  /// Hides these, too, from now on, wherever the filter is in use.
  void add(const std::vector<std::string>& more);

  bool contains_secret(std::string_view text) const;
  /// Of a code, which is a word of the provider's choice: it has a secret or twelve letters of one,
  /// whatever their case and what stands between them.
  bool holds_part_of_secret(std::string_view code) const;
  /// The text with `[hidden]` in place of each secret.
  std::string cut(std::string text) const;

  /// An `error` event of the provider, or a frame that a lenient reader may take for one, in which
  /// a secret stands in some string, however it is escaped, with `[hidden]` in its place; all else
  /// byte for byte. Such a frame has a type with the word error in it, or a member `error`, or it
  /// does not have exactly one plain type. nullopt: nothing is to be changed, or it is none.
  std::optional<std::string> cut_error_event(std::string_view message) const;
  /// Codes of an event that hold a secret become "other": codes are logged, counted and shown.
  void cut_codes(Event& event) const;

 private:
  using Secrets = std::vector<std::string>;
  const Secrets& secrets() const { return *current_.load(std::memory_order_acquire); }
  void cut_code(std::string& code) const;

  std::list<Secrets> versions_;  ///< a reader may have any of them in its hands
  std::atomic<const Secrets*> current_;
};

}  // namespace verbatim::session
