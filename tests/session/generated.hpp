// Random events in orders that no provider would send, from a seed.
#pragma once

#include <iterator>
#include <string>

#include "tests/session/transcript/stream.hpp"

namespace verbatim::session::test {

/// Any event about a tool item.
inline transcript::EventBody generated_tool_event(Random& random, std::string id,
                                                  std::string response) {
  static const char* const details[] = {
      R"({"type":"function_call","call_id":"call_1","name":"f","arguments":""})",
      R"({"type":"function_call","call_id":"call_1","name":"f","arguments":"{}"})",
      R"({"type":"function_call_output","call_id":"call_1","output":"4"})",
      R"({"type":"mcp_call","name":"m","arguments":"{}","approval_request_id":"item_1"})",
      R"({"type":"mcp_call","name":"m","arguments":"{}","output":"5"})",
      R"({"type":"mcp_call","name":"m","arguments":"{}","error":{"code":3}})",
      R"({"type":"mcp_approval_request","name":"m","arguments":"{}"})",
      R"({"type":"mcp_approval_response","approval_request_id":"item_1","approve":false})",
  };
  static constexpr transcript::ItemKind kinds[] = {transcript::ItemKind::function_call,
                                                   transcript::ItemKind::function_call,
                                                   transcript::ItemKind::function_call_output,
                                                   transcript::ItemKind::other,
                                                   transcript::ItemKind::other,
                                                   transcript::ItemKind::other,
                                                   transcript::ItemKind::other,
                                                   transcript::ItemKind::other};
  const bool flag = random.below(2) == 0;
  switch (random.below(5)) {
    case 0:
      return transcript::ToolArguments{std::move(id),
                                       std::move(response),
                                       "call_1",
                                       "f",
                                       text("{}"),
                                       flag,
                                       random.below(2) == 0,
                                       static_cast<int>(random.below(3)) - 1};
    case 1:
      return transcript::ToolProgress{std::move(id),
                                      static_cast<transcript::ToolStatus>(random.below(3))};
    case 2:
      return transcript::AnswerAudio{std::move(id), static_cast<std::int64_t>(random.below(9000))};
    default: {
      const std::size_t which = random.below(std::size(details));
      transcript::Item tool{std::move(id),
                            kinds[which],
                            transcript::Role::unknown,
                            static_cast<transcript::ItemStatus>(random.below(4)),
                            {},
                            details[which]};
      return flag ? added(std::move(tool)) : output(std::move(response), std::move(tool), true);
    }
  }
}

/// Any event about a few items and responses, valid or not.
inline transcript::EventBody generated(Random& random, std::size_t items = 5,
                                       std::size_t responses = 3) {
  const auto id = [&] { return "item_" + std::to_string(random.below(items)); };
  const auto response = [&] { return "resp_" + std::to_string(random.below(responses)); };
  const auto part = [&random] { return static_cast<int>(random.below(3)); };
  const auto index = [&random] { return static_cast<int>(random.below(3)) - 1; };
  // Fields that servers leave out, and ids that no other event has.
  const auto odd_id = [&] {
    const std::size_t kind = random.below(6);
    if (kind == 0) return std::string();
    return kind == 1 ? "other_" + std::to_string(random.below(1000)) : id();
  };
  const auto odd_response = [&] { return random.below(6) == 0 ? std::string() : response(); };
  const auto role = [&random] { return static_cast<transcript::Role>(random.below(4)); };
  const auto words = [&random] {
    static const std::string pieces[] = {"",  "Hello", " there", "\xED\xA0\xBD", "\xED\xB8\x80",
                                         "\n"};
    return pieces[random.below(std::size(pieces))];
  };
  const auto item = [&] {
    transcript::Item made =
        message(id(), role(), {}, static_cast<transcript::ItemStatus>(random.below(4)));
    if (random.below(8) == 0) made.kind = transcript::ItemKind::function_call;
    if (random.below(2) == 0) made.parts.push_back({part(), text(words()), random.below(3) == 0});
    return made;
  };
  switch (random.below(21)) {
    case 0:
      return random.below(4) == 0 ? opened(response())
                                  : transcript::EventBody(transcript::BufferCleared{});
    case 1:
    case 2:
      return added(item(), random.below(2) == 0 ? id() : "");
    case 3:
      return added_first(item());
    case 4:
      return committed(id(), random.below(2) == 0 ? id() : "");
    case 5:
      return transcript::ItemSnapshot{item(), random.below(2) == 0};
    case 6:
      return transcript::OutputItem{response(), item(), random.below(2) == 0, index()};
    case 7:
    case 8:
      return transcript::TextDelta{odd_id(), odd_response(), part(), false, text(words()), index()};
    case 9:
      return transcript::TextDone{odd_id(), odd_response(), part(), false, text(words()), index()};
    case 10:
      return hears(odd_id(), words());
    case 11:
      return heard(odd_id(), words());
    case 12:
      return transcript::TranscriptionFailed{odd_id(), part(), "why"};
    case 13:
      return transcript::SpeechStarted{id(), 0};
    case 14:
      return started(response(), random.below(3) == 0);
    case 15:
      return ended(response(), static_cast<transcript::ResponseStatus>(random.below(5)));
    case 16:
      return truncated(id(), static_cast<std::int64_t>(random.below(100)), 100, part());
    case 17:
      switch (random.below(4)) {
        case 0:
          return transcript::ItemDeleted{id()};
        case 1:
          return transcript::UpstreamLost{"upstream_lost"};
        case 2:
          return transcript::TextUnplaced{transcript::Unplaced::not_json};
        default:
          return transcript::CancelRequested{response()};
      }
    case 18:
      return transcript::ItemRequested{"c" + std::to_string(random.below(3)), item(),
                                       static_cast<transcript::Position>(random.below(3)), id()};
    case 19:
      return generated_tool_event(random, id(), response());
    default:
      return transcript::PartSnapshot{odd_id(), odd_response(), part(), text(words()), index()};
  }
}

}  // namespace verbatim::session::test
