#include "server/relay/access/token_content.hpp"

#include <utility>

#include "server/relay/access/sealed.hpp"

namespace verbatim::access {

namespace {

struct Part {
  const char* name;
  std::string store::ClientToken::*text;
};

constexpr Part sealed_parts[] = {{"session_config", &store::ClientToken::session_config_json},
                                 {"private", &store::ClientToken::private_json}};

std::string place_of(const store::ClientToken& token, const Part& part) {
  return token.id + "/" + part.name;
}

}  // namespace

void seal_content(store::ClientToken& token, const std::string& key) {
  if (key.empty()) return;
  for (const Part& part : sealed_parts)
    token.*part.text = seal(key, place_of(token, part), token.*part.text);
}

bool unseal_content(store::ClientToken& token, const std::string& key) {
  for (const Part& part : sealed_parts) {
    std::string& text = token.*part.text;
    if (key.empty() && !text.starts_with(store::sealed_prefix)) continue;
    auto opened = unseal(key, place_of(token, part), text);
    if (!opened) return false;
    text = *std::move(opened);
  }
  return true;
}

}  // namespace verbatim::access
