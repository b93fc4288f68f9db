#include "session/protocol/secret_filter.hpp"

#include <algorithm>

#include "base/ascii.hpp"
#include "base/json/dump.hpp"
#include "base/json/plain_name.hpp"
#include "base/json/scan.hpp"
#include "base/json/tree.hpp"
#include "base/json/view.hpp"

namespace verbatim::protocol {

namespace {

constexpr std::string_view hidden = "[hidden]";

/// The string literal, quotes included, that begins at `at`.
std::string_view literal_at(std::string_view message, std::size_t at) {
  std::size_t end = at + 1;
  while (end < message.size() && message[end] != '"') end += message[end] == '\\' ? 2 : 1;
  return message.substr(at, end + 1 - at);
}

/// Decodes a literal that is not valid JSON, as a lenient reader would.
std::string loosely_decoded(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto code = text.starts_with("\\u") ? json::hex4(text.substr(2)) : std::nullopt;
    const bool ascii = code && *code < 0x80;
    const std::size_t escape = text.front() == '\\' && text.size() > 1 ? 1 : 0;
    out += ascii ? static_cast<char>(*code) : text[escape];
    text.remove_prefix(ascii ? 6 : escape + 1);
  }
  return out;
}

std::string decoded(std::string_view literal) {
  if (auto text = json::View::of(literal).string()) return std::move(*text);
  return loosely_decoded(literal.substr(1, literal.find_last_not_of('"')));
}

/// Letters and digits only, in lower case.
std::string letters_of(std::string_view text) {
  std::string letters;
  for (const char written : text) {
    const char c = lower_case(written);
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) letters += c;
  }
  return letters;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
}

/// A type as in the protocols; it can be read in only one way.
bool is_small(std::string_view type) {
  return std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

bool has_word_for_error(std::string_view letters) {
  return letters.find("error") != letters.npos || letters.find("fail") != letters.npos;
}

/// Whether the value of `type` contains a word for an error, in any case, like the errors of
/// gateways.
bool may_be_error_type(json::View value) {
  const std::string_view plain = value.plain_string();
  if (plain.empty() || !is_plain(plain)) return true;
  return is_small(plain) ? has_word_for_error(plain) : has_word_for_error(letters_of(plain));
}

/// Whether some reader may take the member for the type or for an error. The first letter rules out
/// most members.
bool is_suspicious(std::string_view key) {
  const char first = key.empty() ? ' ' : key.front();
  if (first >= 'a' && first <= 'z' && first != 't' && first != 'e') return false;
  return !is_plain(key) || reads_as(key, "type") || reads_as(key, "error") ||
         reads_as(key, "errors");
}

/// Types of audio events: long, frequent, and without text.
bool is_audio(std::string_view type) { return type.ends_with("audio.delta"); }

enum class TakenFor { error, audio, other };

/// The kind of frame that some reader may take it for. One pass over its top level.
TakenFor taken_for(std::string_view message) {
  std::size_t types = 0;
  bool audio = false;
  auto members = json::Members::begun(message);
  while (members.next()) {
    const std::string_view key = members.key();
    if (key == "type") {
      if (++types > 1 || may_be_error_type(members.value())) return TakenFor::error;
      audio = is_audio(members.value().plain_string());
    } else if (is_suspicious(key)) {
      return TakenFor::error;
    }
  }
  if (types == 0 || !members.all_read()) return TakenFor::error;
  return audio ? TakenFor::audio : TakenFor::other;
}

/// A member whose value describes an error.
bool is_error_member(std::string_view key) {
  const std::string letters = letters_of(key);
  return has_word_for_error(letters) || letters == "statusdetails" ||
         letters == "incompletedetails";
}

/// A member whose value may mark the object around it as an error.
bool may_mark_error(std::string_view key) {
  const std::string letters = letters_of(key);
  return letters == "type" || letters == "status";
}

std::size_t rarest_in(const std::string& secret) {
  const auto rank = [](char c) {
    if (c >= 'A' && c <= 'Z') return 0;
    return c >= '0' && c <= '9' ? 1 : 2;
  };
  const auto rarer = [rank](char a, char b) { return rank(a) < rank(b); };
  return static_cast<std::size_t>(std::min_element(secret.begin(), secret.end(), rarer) -
                                  secret.begin());
}

}  // namespace

SecretFilter::Secrets::Secrets(std::vector<std::string> values) {
  std::erase_if(values, [](const std::string& one) { return one.size() < length_min; });
  std::sort(values.begin(), values.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  values.erase(std::unique(values.begin(), values.end()), values.end());
  for (std::string& value : values) {
    for (const char c : value)
      if (const auto code = static_cast<unsigned char>(c); code < letters.size())
        letters[code] = true;
    const std::size_t rarest = rarest_in(value);
    all.push_back({std::move(value), rarest});
  }
}

SecretFilter::SecretFilter(std::vector<std::string> secrets) {
  current_.store(&versions_.emplace_back(std::move(secrets)));
}

void SecretFilter::add(const std::vector<std::string>& more) {
  std::vector<std::string> values = more;
  for (const Secret& one : secrets().all) values.push_back(one.value);
  Secrets grown(std::move(values));
  if (grown.all.size() == secrets().all.size()) return;
  versions_.push_back(std::move(grown));
  current_.store(&versions_.back(), std::memory_order_release);
}

bool SecretFilter::contains_secret(std::string_view text) const {
  const std::vector<Secret>& now = secrets().all;
  return std::any_of(now.begin(), now.end(), [text](const Secret& secret) {
    const auto& [value, rarest] = secret;
    for (std::size_t at = text.find(value[rarest], rarest); at != std::string_view::npos;
         at = text.find(value[rarest], at + 1))
      if (text.substr(at - rarest, value.size()) == value) return true;
    return false;
  });
}

std::string SecretFilter::cut(std::string text) const {
  for (const auto& [secret, rarest] : secrets().all) {
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + hidden.size()))
      text.replace(at, secret.size(), hidden);
  }
  return text;
}

/// True if the message contains a secret as it is, or a character of a secret written as an escape.
/// Also an escape of an escape counts, because a string may hold JSON.
bool SecretFilter::may_hold_secret(std::string_view message) const {
  constexpr std::string_view control = "bfnrt";
  if (contains_secret(message)) return true;
  const auto& letters = secrets().letters;
  for (std::size_t at = message.find('\\'); at != std::string_view::npos;
       at = message.find('\\', at)) {
    const std::size_t first = at;
    while (at < message.size() && message[at] == '\\') ++at;
    if (letters['\\'] && at - first > 1) return true;
    if (at == message.size()) break;
    const char escaped = message[at];
    if (control.find(escaped) != std::string_view::npos) continue;
    const auto code = escaped == 'u' ? json::hex4(message.substr(at + 1))
                                     : std::optional<unsigned>(static_cast<unsigned char>(escaped));
    if (!code || (*code < letters.size() && letters[*code])) return true;
  }
  return false;
}

/// Whether a deeper error contains a secret: in a member that describes an error, or in an object
/// marked as an error.
bool SecretFilter::has_secret_in_error(std::string_view message) const {
  struct Level {
    bool error = false;
    bool secret = false;
  };
  std::vector<Level> levels(1);
  std::string key;  // of the following value
  for (std::size_t at = 0; at < message.size(); ++at) {
    const char c = message[at];
    if (c == '{' || c == '[') {
      levels.push_back({is_error_member(key)});
      key.clear();
    } else if ((c == '}' || c == ']') && levels.size() > 1) {
      const Level inner = levels.back();
      if (inner.error && inner.secret) return true;
      levels.pop_back();
      levels.back().secret = levels.back().secret || inner.secret;
    } else if (c == ',') {
      key.clear();
    } else if (c == '"') {
      const std::string_view literal = literal_at(message, at);
      at += literal.size() - 1;
      const std::string text = decoded(literal);
      const std::size_t next = message.find_first_not_of(" \t\r\n", at + 1);
      const bool is_key = next != std::string_view::npos && message[next] == ':';
      const bool secret = cut_string(text, 0) != text;
      if (secret && !is_key && is_error_member(key)) return true;
      levels.back().secret = levels.back().secret || secret;
      if (is_key) {
        key = text;
      } else if (may_mark_error(key)) {
        levels.back().error = levels.back().error || has_word_for_error(letters_of(text));
      }
    }
  }
  return false;
}

std::optional<std::string> SecretFilter::cut_error_event(std::string_view message) const {
  if (secrets().all.empty()) return std::nullopt;
  const TakenFor reading = taken_for(message);
  if (reading == TakenFor::error) return cut_strings(message, 0);
  const bool error_inside =
      reading == TakenFor::other && may_hold_secret(message) && has_secret_in_error(message);
  return error_inside ? cut_strings(message, 0) : std::nullopt;
}

std::optional<std::string> SecretFilter::cut_frame(std::string_view message) const {
  if (secrets().all.empty() || !may_hold_secret(message)) return std::nullopt;
  return cut_strings(message, 0);
}

/// Filters a decoded string. The string may itself be JSON: a gateway's copy of the provider's
/// answer.
std::string SecretFilter::cut_string(std::string text, int depth) const {
  constexpr int depth_max = 3;
  if (depth < depth_max && text.find('\\') != std::string::npos)
    if (auto inner = cut_strings(text, depth + 1)) text = std::move(*inner);
  return contains_secret(text) ? cut(std::move(text)) : text;
}

std::optional<std::string> SecretFilter::cut_strings(std::string_view message, int depth) const {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = message.find('"'); at != std::string_view::npos;
       at = message.find('"', at)) {
    const std::string_view literal = literal_at(message, at);
    const std::string text = decoded(literal);
    if (const std::string clean = cut_string(text, depth); clean != text) {
      out += message.substr(copied, at - copied);
      out += dump(Json(clean));
      copied = at + literal.size();
    }
    at += literal.size();
  }
  out.append(message.substr(copied));
  // Text that is not JSON has no strings to find; a reader shows it unchanged, so filter it whole.
  if (contains_secret(out) && json::check(out)) out = cut(std::move(out));
  if (out == message) return std::nullopt;
  return out;
}

bool SecretFilter::holds_part_of_secret(std::string_view code) const {
  static constexpr std::size_t telling = 12;
  const std::string letters = letters_of(code);
  const std::vector<Secret>& now = secrets().all;
  return std::any_of(now.begin(), now.end(), [&letters](const Secret& secret) {
    const std::string ours = letters_of(secret.value);
    const std::size_t length = std::min(telling, ours.size());
    for (std::size_t at = 0; length > 0 && at + length <= letters.size(); ++at)
      if (ours.find(letters.substr(at, length)) != std::string::npos) return true;
    return false;
  });
}

void SecretFilter::cut_code(std::string& code) const {
  if (holds_part_of_secret(code)) code = "other";
}

void SecretFilter::cut_codes(transcript::Event& event) const {
  if (secrets().all.empty()) return;
  if (auto* error = std::get_if<transcript::ProviderError>(&event.body)) {
    cut_code(error->type);
    cut_code(error->code);
  } else if (auto* failed = std::get_if<transcript::TranscriptionFailed>(&event.body)) {
    cut_code(failed->reason);
  } else if (auto* ended = std::get_if<transcript::ResponseEnded>(&event.body)) {
    cut_code(ended->reason);
  }
}

}  // namespace verbatim::protocol
