#include "simulator/faults.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <stdexcept>

#include "simulator/profile.hpp"

namespace verbatim::simulator {

namespace {

constexpr std::string_view known_faults =
    "drop_after=N, close_after=N:CODE[:REASON], hang_after=N, silent, duplicate=PROBABILITY, "
    "binary[=PROBABILITY], slow=FACTOR, error_first=CODE, expire_after=MS, late_transcription=MS, "
    "fail_transcription[=PROBABILITY], empty_transcription[=PROBABILITY], "
    "missing_transcription[=PROBABILITY], no_transcription_deltas, fail_response[=PROBABILITY], "
    "refuse_history[=PROBABILITY], odd_ids[=PROBABILITY], null_previous[=PROBABILITY], "
    "no_item_ids[=PROBABILITY], no_session_created, profile=NAME";

struct Fault {
  std::string_view name;
  std::string_view argument;
  bool has_argument = false;

  [[noreturn]] void refuse(const std::string& why) const {
    throw std::invalid_argument("fault '" + std::string(name) + "': " + why);
  }

  std::uint64_t whole(std::string_view text, std::uint64_t most) const {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > most) {
      refuse("'" + std::string(text) + "' is not a whole number from 0 to " + std::to_string(most));
    }
    return value;
  }

  double fraction(double least, double most) const {
    const std::string text(argument);
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end != '\0' || !(value >= least && value <= most)) {
      refuse("'" + text + "' is not a number from " + std::to_string(least) + " to " +
             std::to_string(most));
    }
    return value;
  }

  Faults::Close close() const {
    const std::size_t colon = argument.find(':');
    if (colon == argument.npos) refuse("needs N:CODE[:REASON], for example 20:1011:overloaded");
    Faults::Close close;
    close.after = whole(argument.substr(0, colon), counts);
    std::string_view rest = argument.substr(colon + 1);
    const std::size_t second = rest.find(':');
    const std::uint64_t code = whole(rest.substr(0, second), 4999);
    // 1004 to 1006 and 1015 must not be sent in a close frame (RFC 6455, 7.4).
    if (code < 1000 || (code >= 1004 && code <= 1006) || code == 1015) {
      refuse(std::to_string(code) + " is not a close code that can be sent");
    }
    close.code = static_cast<std::uint16_t>(code);
    if (second != rest.npos) close.reason = rest.substr(second + 1);
    if (close.reason.size() > 123) refuse("a close reason has at most 123 bytes");
    return close;
  }

  static constexpr std::uint64_t counts = 1'000'000'000;
};

}  // namespace

namespace {

struct Switch {
  std::string_view name;
  bool Faults::*member;
  bool value;
};
constexpr Switch switches[] = {{"no_transcription_deltas", &Faults::transcription_deltas, false},
                               {"no_session_created", &Faults::no_session_created, true}};

/// Faults with a probability; without an argument the probability is 1.
struct Chance {
  std::string_view name;
  double Faults::*member;
};
constexpr Chance chances[] = {{"binary", &Faults::binary},
                              {"fail_transcription", &Faults::fail_transcription},
                              {"empty_transcription", &Faults::empty_transcription},
                              {"missing_transcription", &Faults::missing_transcription},
                              {"fail_response", &Faults::fail_response},
                              {"refuse_history", &Faults::refuse_history},
                              {"odd_ids", &Faults::odd_ids},
                              {"null_previous", &Faults::null_previous},
                              {"no_item_ids", &Faults::no_item_ids}};

/// A fault whose argument is a whole number. False: it is another one.
bool add_whole(Faults& faults, const Fault& fault) {
  const auto number = [&fault] { return fault.whole(fault.argument, Fault::counts); };
  if (fault.name == "drop_after") {
    faults.drop_after = number();
  } else if (fault.name == "hang_after") {
    faults.hang_after = number();
  } else if (fault.name == "late_transcription") {
    faults.late_transcription_ms = static_cast<std::int64_t>(number());
  } else if (fault.name == "expire_after") {
    faults.expire_after_ms = static_cast<std::int64_t>(number());
  } else {
    return false;
  }
  return true;
}

}  // namespace

void Faults::add_one(std::string_view piece) {
  const std::size_t equals = piece.find('=');
  Fault fault{piece.substr(0, equals), {}, equals != piece.npos};
  if (fault.has_argument) fault.argument = piece.substr(equals + 1);

  for (const Switch& known : switches) {
    if (fault.name != known.name) continue;
    if (fault.has_argument) fault.refuse("takes no argument");
    this->*known.member = known.value;
    return;
  }
  for (const Chance& known : chances) {
    if (fault.name != known.name) continue;
    this->*known.member = fault.has_argument ? fault.fraction(0, 1) : 1;
    return;
  }
  if (add_whole(*this, fault)) return;
  if (fault.name == "silent") {
    if (fault.has_argument) fault.refuse("takes no argument");
    hang_after = 0;
  } else if (fault.name == "close_after") {
    close_after = fault.close();
  } else if (fault.name == "duplicate") {
    duplicate = fault.fraction(0, 1);
  } else if (fault.name == "slow") {
    slow = fault.fraction(0.001, 1000);
  } else if (fault.name == "error_first") {
    if (fault.argument.empty() || fault.argument.size() > 80) {
      fault.refuse("needs an error code of 1 to 80 bytes, for example invalid_api_key");
    }
    error_first = fault.argument;
  } else if (fault.name == "profile") {
    profile = profile_named(fault.argument).name;
  } else {
    fault.refuse("there is no such fault; known are " + std::string(known_faults));
  }
}

void Faults::add(std::string_view spec) {
  while (!spec.empty()) {
    const std::string_view piece = spec.substr(0, spec.find('+'));
    spec.remove_prefix(std::min(spec.size(), piece.size() + 1));
    add_one(piece);
  }
}

ModelName split_model(std::string_view model) {
  // A plus in a URL's query decodes to a space. A space here therefore stands for an unescaped
  // plus.
  const char separator = model.find('+') == model.npos ? ' ' : '+';
  const std::size_t end = std::min(model.find(separator), model.size());
  ModelName result{std::string(model.substr(0, end)), {}};
  if (end < model.size()) result.faults = model.substr(end + 1);
  std::replace(result.faults.begin(), result.faults.end(), separator, '+');
  return result;
}

}  // namespace verbatim::simulator
