#include "server/relay/access/misplaced_secret.hpp"

#include <algorithm>
#include <cctype>
#include <memory>
#include <utility>
#include <vector>

#include "server/relay/access/configured_secrets.hpp"

namespace verbatim::access {

namespace {

/// A key's prefix and minimum length. Ordinary words may have such a prefix
/// ("sk-lesson-of-monday"). Then a key needs a run of letters and digits without a separator, with
/// some digits in it.
struct Form {
  std::string_view prefix;
  std::size_t length_min;
  std::size_t run_min = 0;
};

constexpr Form forms[] = {
    {"ek_", 20},     {"vk_", 32},      {"whsec_", 16},   {"sk-", 20, 16},
    {"sk_", 20, 16}, {"xai-", 20, 16}, {"gsk_", 20, 16}, {"AIza", 30, 16},
};

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

/// The characters of keys and tokens: both base64 alphabets, and the dot between a token's parts.
bool is_part_of_key(char c) {
  return is_letter_or_digit(c) || c == '_' || c == '-' || c == '.' || c == '+' || c == '/' ||
         c == '=';
}

bool has_run(std::string_view text, std::size_t length) {
  std::size_t run = 0;
  bool digit = false;
  for (const char c : text) {
    if (!is_letter_or_digit(c)) {
      run = 0;
      digit = false;
      continue;
    }
    digit = digit || std::isdigit(static_cast<unsigned char>(c)) != 0;
    if (++run >= length && digit) return true;
  }
  return length == 0;
}

/// The longest beginning of `text` that consists of key characters.
std::string_view key_at_start(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), is_part_of_key);
  return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

/// Whether `text` begins with a key. Looks at `window` characters at most: otherwise a crafted text
/// would cost the square of its length.
bool begins_with_secret(std::string_view text) {
  constexpr std::size_t window = 256;
  text = text.substr(0, window);
  if (text.starts_with("eyJ")) {  // header and payload of a JSON Web Token begin with `{"`
    const std::string_view word = key_at_start(text);
    return word.find(".eyJ") != word.npos || word.size() == window;
  }
  return std::any_of(std::begin(forms), std::end(forms), [text](const Form& form) {
    if (!text.starts_with(form.prefix)) return false;
    const std::string_view rest = key_at_start(text.substr(form.prefix.size()));
    return rest.size() >= form.length_min && has_run(rest, form.run_min);
  });
}

/// The first secret at or after `from`; empty if there is none.
std::string_view find_secret(std::string_view text, std::size_t from) {
  for (std::size_t at = from; at < text.size(); ++at) {
    // A key begins after a character that is neither a letter nor a digit.
    if (!is_letter_or_digit(text[at]) || (at > 0 && is_letter_or_digit(text[at - 1]))) continue;
    if (begins_with_secret(text.substr(at))) return key_at_start(text.substr(at));
  }
  return {};
}

/// Drops shorter values, which occur in ordinary text: "none" is a common key for a provider that
/// needs none.
std::vector<std::string> unmistakable(std::vector<std::string> secrets) {
  constexpr std::size_t length_min = 12;
  std::erase_if(secrets, [](const std::string& one) { return one.size() < length_min; });
  return secrets;
}

}  // namespace

bool looks_like_secret(std::string_view text) { return !find_secret(text, 0).empty(); }

std::string without_secrets(std::string text) {
  constexpr std::string_view hidden = "[hidden]";
  for (std::size_t at = 0;;) {
    const std::string_view secret = find_secret(text, at);
    if (secret.empty()) return text;
    const auto begin = static_cast<std::size_t>(secret.data() - text.data());
    text.replace(begin, secret.size(), hidden);
    at = begin + hidden.size();
  }
}

Log::Redact redaction_of(std::shared_ptr<const protocol::SecretFilter> ours) {
  return [ours = std::move(ours)](std::string text) {
    return without_secrets(ours->cut(std::move(text)));
  };
}

IdGuard::IdGuard(const config::Settings& settings) : ours_(unmistakable(secrets_of(settings))) {}

void IdGuard::add(const config::Settings& fresh) { ours_.add(unmistakable(secrets_of(fresh))); }

bool IdGuard::admits(std::string_view id) const {
  return !looks_like_secret(id) && !ours_.contains_secret(id);
}

}  // namespace verbatim::access
