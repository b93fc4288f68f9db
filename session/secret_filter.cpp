#include "session/secret_filter.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "session/json_view.hpp"
#include "session/protocol.hpp"

namespace verbatim::session {

namespace {

constexpr std::string_view hidden = "[hidden]";

/// The string literal, quotes included, that begins at `at`.
std::string_view literal_at(std::string_view message, std::size_t at) {
  std::size_t end = at + 1;
  while (end < message.size() && message[end] != '"') end += message[end] == '\\' ? 2 : 1;
  return message.substr(at, end + 1 - at);
}

std::string decoded(std::string_view literal) {
  auto text = json::View::of(literal).string();
  return text ? std::move(*text) : std::string(literal.substr(1, literal.find_last_not_of('"')));
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

/// Also where its type, or the name of that member, is written with escapes.
bool is_error_event(std::string_view message) {
  const std::string_view type = peek_type(message);
  if (!type.empty()) return type == "error";
  for (auto members = json::Members::begun(message); members.next();) {
    const std::string name = decoded('"' + std::string(members.key()) + '"');
    if (name == "type") return members.value().string_or_empty() == "error";
  }
  return false;
}

}  // namespace

SecretFilter::SecretFilter(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {
  std::erase_if(secrets_, [](const std::string& one) { return one.size() < length_min; });
  // The longest first: one may be a part of another.
  std::sort(secrets_.begin(), secrets_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  secrets_.erase(std::unique(secrets_.begin(), secrets_.end()), secrets_.end());
}

bool SecretFilter::contains_secret(std::string_view text) const {
  return std::any_of(secrets_.begin(), secrets_.end(), [text](const std::string& secret) {
    return text.find(secret) != std::string_view::npos;
  });
}

std::string SecretFilter::cut(std::string text) const {
  for (const std::string& secret : secrets_) {
    for (std::size_t at = text.find(secret); at != std::string::npos;
         at = text.find(secret, at + hidden.size()))
      text.replace(at, secret.size(), hidden);
  }
  return text;
}

std::optional<std::string> SecretFilter::cut_error_event(std::string_view message) const {
  if (secrets_.empty() || !is_error_event(message)) return std::nullopt;
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
  if (copied == 0) return std::nullopt;
  return out.append(message.substr(copied));
}

bool SecretFilter::holds_part_of_secret(std::string_view code) const {
  static constexpr std::size_t telling = 12;
  const std::string letters = letters_of(code);
  return std::any_of(secrets_.begin(), secrets_.end(), [&letters](const std::string& secret) {
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
  if (secrets_.empty()) return;
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
