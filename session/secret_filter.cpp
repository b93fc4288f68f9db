#include "session/secret_filter.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/json/plain_name.hpp"
#include "base/json/scan.hpp"
#include "base/json/view.hpp"

namespace verbatim::session {

namespace {

constexpr std::string_view hidden = "[hidden]";

/// The string literal, quotes included, that begins at `at`.
std::string_view literal_at(std::string_view message, std::size_t at) {
  std::size_t end = at + 1;
  while (end < message.size() && message[end] != '"') end += message[end] == '\\' ? 2 : 1;
  return message.substr(at, end + 1 - at);
}

/// Of a literal that is not JSON's: what a reader makes of it that goes on all the same.
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

/// Letters and digits alone, in lower case.
std::string letters_of(std::string_view text) {
  std::string letters;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') letters += static_cast<char>(c - 'A' + 'a');
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) letters += c;
  }
  return letters;
}

/// Without those that are too short to be hidden. The longest first: one may be a part of another.
std::vector<std::string> in_order(std::vector<std::string> secrets) {
  std::erase_if(secrets,
                [](const std::string& one) { return one.size() < SecretFilter::length_min; });
  std::sort(secrets.begin(), secrets.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets.erase(std::unique(secrets.begin(), secrets.end()), secrets.end());
  return secrets;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
}

/// A type as protocols have them, which has no second reading.
bool is_small(std::string_view type) {
  return std::all_of(type.begin(), type.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

/// Of the value of a member `type`: it has the word in it, in whatever letters, as those of
/// gateways' own errors have.
bool may_be_error_type(json::View value) {
  constexpr std::string_view word = "error";
  const std::string_view plain = value.plain_string();
  if (plain.empty() || !is_plain(plain)) return true;
  return (is_small(plain) ? plain.find(word) : letters_of(plain).find(word)) != plain.npos;
}

/// Whether some reader may take the member for the type or for an error. Most are known not to be
/// by their first letter.
bool is_suspicious(std::string_view key) {
  const char first = key.empty() ? ' ' : key.front();
  if (first >= 'a' && first <= 'z' && first != 't' && first != 'e') return false;
  return !is_plain(key) || reads_as(key, "type") || reads_as(key, "error") ||
         reads_as(key, "errors");
}

/// Whether some reader may take the frame for an error. One walk over its top level.
bool may_be_error(std::string_view message) {
  std::size_t types = 0;
  auto members = json::Members::begun(message);
  while (members.next()) {
    const std::string_view key = members.key();
    if (key == "type") {
      if (++types > 1 || may_be_error_type(members.value())) return true;
    } else if (is_suspicious(key)) {
      return true;
    }
  }
  return types == 0 || !members.all_read();
}

}  // namespace

SecretFilter::SecretFilter(std::vector<std::string> secrets)
    : versions_(1, in_order(std::move(secrets))), current_(&versions_.back()) {}

void SecretFilter::add(const std::vector<std::string>& more) {
  Secrets all = secrets();
  all.insert(all.end(), more.begin(), more.end());
  all = in_order(std::move(all));
  if (all == secrets()) return;
  versions_.push_back(std::move(all));
  current_.store(&versions_.back(), std::memory_order_release);
}

bool SecretFilter::contains_secret(std::string_view text) const {
  const Secrets& now = secrets();
  return std::any_of(now.begin(), now.end(), [text](const std::string& secret) {
    return text.find(secret) != std::string_view::npos;
  });
}

std::string SecretFilter::cut(std::string text) const {
  for (const std::string& secret : secrets()) {
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + hidden.size()))
      text.replace(at, secret.size(), hidden);
  }
  return text;
}

std::optional<std::string> SecretFilter::cut_error_event(std::string_view message) const {
  if (secrets().empty() || !may_be_error(message)) return std::nullopt;
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = message.find('"'); at != std::string_view::npos;
       at = message.find('"', at)) {
    const std::string_view literal = literal_at(message, at);
    const std::string text = decoded(literal);
    if (contains_secret(text)) {
      out += message.substr(copied, at - copied);
      out +=
          nlohmann::json(cut(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      copied = at + literal.size();
    }
    at += literal.size();
  }
  out.append(message.substr(copied));
  // What is no JSON has no strings to look for: a reader shows it as it is.
  if (contains_secret(out) && json::check(out)) out = cut(std::move(out));
  if (out == message) return std::nullopt;
  return out;
}

bool SecretFilter::holds_part_of_secret(std::string_view code) const {
  static constexpr std::size_t telling = 12;
  const std::string letters = letters_of(code);
  const Secrets& now = secrets();
  return std::any_of(now.begin(), now.end(), [&letters](const std::string& secret) {
    const std::string ours = letters_of(secret);
    const std::size_t length = std::min(telling, ours.size());
    for (std::size_t at = 0; length > 0 && at + length <= letters.size(); ++at)
      if (ours.find(letters.substr(at, length)) != std::string::npos) return true;
    return false;
  });
}

void SecretFilter::cut_code(std::string& code) const {
  if (holds_part_of_secret(code)) code = "other";
}

void SecretFilter::cut_codes(Event& event) const {
  if (secrets().empty()) return;
  if (auto* error = std::get_if<ProviderError>(&event.body)) {
    cut_code(error->type);
    cut_code(error->code);
  } else if (auto* failed = std::get_if<TranscriptionFailed>(&event.body)) {
    cut_code(failed->reason);
  } else if (auto* ended = std::get_if<ResponseEnded>(&event.body)) {
    cut_code(ended->reason);
  }
}

}  // namespace verbatim::session
