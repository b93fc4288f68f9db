// Keeps the provider's key out of what the relay passes on, logs or stores: providers and gateways
// repeat keys in their refusals.
//
// Any thread, without a lock; add() by one at a time. What was a secret once remains one: a peer
// may repeat a key that has been replaced.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/event.hpp"

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
  /// byte for byte. Such a frame has a type with the word error or fail in it, or a member `error`,
  /// or it does not have exactly one plain type. Or it tells of an error further within, and a
  /// secret stands there: an item's `error`, an answer's `status_details`. nullopt: nothing is to
  /// be changed, or it is none.
  std::optional<std::string> cut_error_event(std::string_view message) const;
  /// Any frame, with `[hidden]` in place of a secret in each of its strings: what the relay keeps
  /// is read from that. nullopt: it has none. Cheap for frames that have none.
  std::optional<std::string> cut_frame(std::string_view message) const;
  /// Codes of an event that hold a secret become "other": codes are logged, counted and shown.
  void cut_codes(Event& event) const;

 private:
  struct Secret {
    std::string value;
    std::size_t rarest = 0;  ///< where its letter stands that ordinary text has least
  };
  struct Secrets {
    explicit Secrets(std::vector<std::string> values);
    std::vector<Secret> all;          ///< the longest first: one may be a part of another
    std::array<bool, 128> letters{};  ///< those of the secrets
  };

  const Secrets& secrets() const { return *current_.load(std::memory_order_acquire); }

  void cut_code(std::string& code) const;
  bool may_hold_secret(std::string_view message) const;
  bool has_secret_in_error(std::string_view message) const;
  std::optional<std::string> cut_strings(std::string_view message, int depth) const;
  std::string cut_string(std::string text, int depth) const;

  std::list<Secrets> versions_;  ///< a reader may have any of them in its hands
  std::atomic<const Secrets*> current_;
};

}  // namespace verbatim::session
