#include "server/api/assets.hpp"

namespace verbatim::api {

namespace {

constexpr std::string_view suffix = ".js";
/// Hexadecimal digits of the hash in a path, and the point before them.
constexpr std::size_t hash_length = 1 + 16;

/// "/web/v1/verbatim.0123456789abcdef.js" -> "/web/v1/verbatim"; empty if it has no hash.
std::string_view stem_of(std::string_view path) {
  if (!path.ends_with(suffix) || path.size() < suffix.size() + hash_length) return {};
  path.remove_suffix(suffix.size());
  const std::string_view hash = path.substr(path.size() - hash_length);
  const bool hashed = hash.front() == '.' &&
                      hash.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
  return hashed ? path.substr(0, path.size() - hash_length) : std::string_view();
}

}  // namespace

const Asset* find_asset(std::string_view path) {
  for (const Asset& asset : all_assets())
    if (asset.path == path) return &asset;
  return nullptr;
}

const Asset* find_successor(std::string_view path) {
  const std::string_view stem = stem_of(path);
  if (stem.empty()) return nullptr;
  for (const Asset& asset : all_assets())
    if (asset.immutable && stem_of(asset.path) == stem) return &asset;
  return nullptr;
}

}  // namespace verbatim::api
