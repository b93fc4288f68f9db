// The changes that an input of a session caused. The driver acts on these and asks for nothing
// else.
//
// A flag may be set although nothing changed, but a change never lacks its flag: the conversation
// would stall.
#pragma once

#include <cstdint>
#include <limits>

namespace verbatim::session {

enum class Change : std::uint16_t {
  /// A message for the client may be ready to leave.
  client_writable = 1U << 0U,
  /// A message for an upstream connection may be ready to leave.
  upstream_writable = 1U << 1U,
  /// wants_client() may have become true.
  client_readable = 1U << 2U,
  /// wants_upstream() may have become true.
  upstream_readable = 1U << 3U,
  /// take_dial() may return an upstream connection.
  dial = 1U << 4U,
  /// An upstream connection carries nothing any more: outbox_of() returns null for it.
  superfluous = 1U << 5U,
  /// next_deadline_ms() may have become earlier.
  deadline = 1U << 6U,
  /// waits_for_journal() may have become true.
  awaits_journal = 1U << 7U,
  ended = 1U << 8U,
  settled = 1U << 9U,
  /// counts(), responses() or detached() may have changed.
  counts = 1U << 10U,
};

class Changes {
 public:
  constexpr Changes() = default;
  constexpr Changes(Change one) : bits_(static_cast<std::uint16_t>(one)) {}

  /// For a driver that begins: as if everything had changed.
  static constexpr Changes all() {
    Changes every;
    every.bits_ = std::numeric_limits<std::uint16_t>::max();
    return every;
  }

  constexpr bool has(Change one) const { return (bits_ & static_cast<std::uint16_t>(one)) != 0; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr Changes& operator|=(Changes more) {
    bits_ = static_cast<std::uint16_t>(bits_ | more.bits_);
    return *this;
  }
  friend constexpr Changes operator|(Changes some, Changes more) { return some |= more; }
  friend constexpr bool operator==(Changes, Changes) = default;

 private:
  std::uint16_t bits_ = 0;
};

constexpr Changes operator|(Change one, Change other) { return Changes(one) | other; }

}  // namespace verbatim::session
