// Random events of every kind, from a seed: everything that the types allow, not what a provider
// would send.
#pragma once

#include <random>
#include <string>

#include "session/transcript/event.hpp"

namespace verbatim::test {

class RandomEvents {
 public:
  explicit RandomEvents(std::uint32_t seed) : random_(seed) {}

  static constexpr std::size_t kinds = std::variant_size_v<transcript::EventBody>;

  transcript::Event make(std::size_t kind) {
    transcript::Event event;
    event.id = id();
    event.body = body(kind);
    return event;
  }

 private:
  using Body = transcript::EventBody;

  Body body(std::size_t kind) {
    using namespace transcript;
    switch (kind) {
      case 0:
        return UpstreamOpened{id(), wide(), flag(), small()};
      case 1:
        return SessionConfigured{flag(), small()};
      case 2:
        return ItemPlaced{item(), choice<Position>(2), id(), flag()};
      case 3:
        return ItemSnapshot{item(), flag()};
      case 4:
        return OutputItem{id(), item(), flag(), small()};
      case 5:
        return TextDelta{id(), id(), small(), flag(), text(), small()};
      case 6:
        return TextDone{id(), id(), small(), flag(), text(), small()};
      case 7:
        return PartSnapshot{id(), id(), small(), text(), small()};
      case 8:
        return TranscriptionFailed{id(), small(), id()};
      case 9:
        return AudioDelta{id(), small(), wide()};
      case 10:
        return SpeechStarted{id(), wide()};
      case 11:
        return SpeechStopped{id(), wide()};
      case 12:
        return BufferCleared{};
      case 13:
        return ResponseStarted{id(), flag()};
      case 14:
        return ResponseEnded{id(), flag(), choice<ResponseStatus>(4), id(), items(), id()};
      case 15:
        return ItemTruncated{id(), small(), wide(), wide()};
      case 16:
        return ItemDeleted{id()};
      case 17:
        return ProviderError{id(), id(), id()};
      case 18:
        return ItemRequested{id(), item(), choice<Position>(2), id()};
      case 19:
        return CancelRequested{id()};
      case 20:
        return UpstreamLost{id()};
      case 21:
        return AudioMetered{wide(), wide()};
      case 22:
        return TranscriptionUsage{id(), small(), id()};
      case 23:
        return ToolArguments{id(), id(), id(), id(), text(), flag(), flag(), small()};
      case 24:
        return ToolProgress{id(), choice<ToolStatus>(3), small()};
      case 25:
        return AnswerAudio{id(), wide()};
      case 26:
        return TextUnplaced{choice<Unplaced>(2)};
      case 27:
        return FirstAudio{id(), wide()};
      case 28:
        return SettingsChanged{id()};
      default:
        return AudioPlaced{choice<AudioTrack>(1),
                           id(),
                           wide(),
                           wide(),
                           wide(),
                           {choice<AudioEncoding>(3), small()}};
    }
  }

  std::uint32_t below(std::uint32_t end) { return random_() % end; }
  bool flag() { return below(2) == 1; }
  int small() { return static_cast<int>(random_()); }
  std::int64_t wide() {
    const std::uint64_t bits = std::uint64_t{random_()} << 32 | random_();
    return static_cast<std::int64_t>(bits >> below(64)) * (flag() ? 1 : -1);
  }
  /// Any bytes: ids are opaque.
  std::string id() {
    std::string made(below(4) == 0 ? 0 : below(200), '\0');
    for (char& byte : made) byte = static_cast<char>(random_());
    return made;
  }
  Text text() {
    static const char* const pieces[] = {
        "a", " ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\xA0\xBD", "\n"};
    std::string bytes;
    for (std::uint32_t n = below(60); n > 0; --n) bytes += pieces[below(std::size(pieces))];
    return Text::from_wtf8(std::move(bytes));
  }
  template <class Enum>
  Enum choice(std::uint32_t last) {
    return static_cast<Enum>(below(last + 1));
  }
  transcript::Item item() {
    transcript::Item made{id(),
                          choice<transcript::ItemKind>(3),
                          choice<transcript::Role>(3),
                          choice<transcript::ItemStatus>(3),
                          {},
                          id()};
    for (std::uint32_t n = below(4); n > 0; --n) made.parts.push_back({small(), text(), flag()});
    return made;
  }
  std::vector<transcript::Item> items() {
    std::vector<transcript::Item> made;
    for (std::uint32_t n = below(4); n > 0; --n) made.push_back(item());
    return made;
  }

  std::mt19937 random_;
};

}  // namespace verbatim::test
