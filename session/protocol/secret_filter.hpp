// Removes the provider's keys from messages, logs and stored data (P10): providers and gateways
// repeat keys in their error messages.
//
// Any thread, without a lock; only one thread at a time may call add(). A secret stays in the list
// for good, because a peer may repeat a key that was replaced.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::protocol {

class SecretFilter {
 public:
  /// A filter without secrets; it removes nothing.
  SecretFilter() : SecretFilter(std::vector<std::string>()) {}
  /// Shorter values, in bytes, are not filtered: they occur in ordinary words.
  static constexpr std::size_t length_min = 4;
  explicit SecretFilter(std::vector<std::string> secrets);
  SecretFilter(const SecretFilter&) = delete;
  SecretFilter& operator=(const SecretFilter&) = delete;

  /// Adds secrets to remove from now on, wherever the filter is in use.
  void add(const std::vector<std::string>& more);

  bool contains_secret(std::string_view text) const;
  /// For an error code, a word that the provider chooses. True if it contains a secret, or twelve
  /// characters of one, without regard to case and to characters between them.
  bool holds_part_of_secret(std::string_view code) const;
  /// The text with each secret replaced by `[hidden]`.
  std::string cut(std::string text) const;

  /// Replaces secrets by `[hidden]` in an error frame, in all its strings and with any escapes; all
  /// other bytes stay. nullopt: no change is needed, or it is not an error frame. An error frame
  /// is:
  /// - an `error` event of the provider;
  /// - a frame that a lenient reader may take for one: it has a type with the word error or fail,
  ///   or a member `error`, or not exactly one plain type;
  /// - a frame with a secret in a deeper error: an item's `error`, an answer's `status_details`.
  std::optional<std::string> cut_error_event(std::string_view message) const;
  /// Replaces secrets by `[hidden]` in every string of any frame. The relay stores only what it
  /// reads from the result. nullopt: the frame has no secret; that case is cheap.
  std::optional<std::string> cut_frame(std::string_view message) const;
  /// Replaces codes of an event that hold a secret by "other": codes are logged, counted and shown.
  void cut_codes(transcript::Event& event) const;

 private:
  struct Secret {
    std::string value;
    std::size_t rarest = 0;  ///< place of its least frequent letter in ordinary text
  };
  struct Secrets {
    explicit Secrets(std::vector<std::string> values);
    std::vector<Secret> all;          ///< longest first: one may be a part of another
    std::array<bool, 128> letters{};  ///< the characters that occur in the secrets
  };

  const Secrets& secrets() const { return *current_.load(std::memory_order_acquire); }

  void cut_code(std::string& code) const;
  bool may_hold_secret(std::string_view message) const;
  bool has_secret_in_error(std::string_view message) const;
  std::optional<std::string> cut_strings(std::string_view message, int depth) const;
  std::string cut_string(std::string text, int depth) const;

  std::list<Secrets> versions_;  ///< kept, since a reader may still use any of them
  std::atomic<const Secrets*> current_;
};

}  // namespace verbatim::protocol
