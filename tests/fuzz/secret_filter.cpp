// Any frame of a provider. No key is left in anything that a reader could take for an error, in any
// encoding; other messages are unchanged.
#include <algorithm>
#include <cstdint>
#include <string>

#include "base/json/tree.hpp"
#include "session/protocol/secret_filter.hpp"
#include "tests/fuzz/demand.hpp"
#include "tests/fuzz/letters.hpp"

using namespace verbatim;
using namespace verbatim::protocol;
using Tree = Json;

namespace {

constexpr const char* key = "sk-4";

bool holds_key(const Tree& where, int depth = 0) {
  if (where.is_string()) return where.get_ref<const std::string&>().find(key) != std::string::npos;
  if (!where.is_structured() || depth > 32) return false;
  for (auto one = where.begin(); one != where.end(); ++one) {
    if (where.is_object() && one.key().find(key) != std::string::npos) return true;
    if (holds_key(*one, depth + 1)) return true;
  }
  return false;
}

bool is_error_member(const std::string& word) {
  return word.find("error") != word.npos || word.find("fail") != word.npos;
}

/// In the value of a member that reports an error, at any depth.
bool holds_key_in_error(const Tree& where, int depth = 0) {
  if (!where.is_structured() || depth > 32) return false;
  for (auto one = where.begin(); one != where.end(); ++one) {
    const std::string name = where.is_object() ? letters(one.key()) : std::string();
    if ((is_error_member(name) || name == "statusdetails") && holds_key(*one)) return true;
    if (holds_key_in_error(*one, depth + 1)) return true;
  }
  return false;
}

/// For a whole object: nlohmann's reader takes the last of two types, which is one more possible
/// reader.
bool is_error(const Tree& frame) {
  if (!frame.contains("type")) return true;
  for (auto one = frame.begin(); one != frame.end(); ++one) {
    const std::string name = letters(one.key());
    if (name == "error" || name == "errors") return true;
    if (name != "type") continue;
    if (!one->is_string()) return true;
    if (is_error_member(letters(one->get_ref<const std::string&>()))) return true;
  }
  return false;
}

bool is_plainly_another(const Tree& frame, std::string_view bytes) {
  return !is_error(frame) && frame["type"] != "" && !is_error_member(letters(bytes)) &&
         letters(bytes).find("details") == std::string::npos && bytes.find('\\') == bytes.npos &&
         std::all_of(bytes.begin(), bytes.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SecretFilter filter({key});
  const std::string_view frame(reinterpret_cast<const char*>(data), size);
  const auto cut = filter.cut_error_event(frame);
  const std::string passed = cut ? *cut : std::string(frame);
  if (cut) demand(*cut != frame);
  // Once is enough.
  demand(!filter.cut_error_event(passed));
  std::size_t types = 0;
  const Tree tree = Tree::parse(
      frame,
      [&](int depth, Tree::parse_event_t event, Tree& parsed) {
        const bool name = depth == 1 && event == Tree::parse_event_t::key;
        if (name && letters(parsed.get_ref<const std::string&>()) == "type") ++types;
        return true;
      },
      false);
  if (tree.is_discarded()) return 0;
  const auto kept = filter.cut_frame(frame);
  const Tree read = Tree::parse(kept ? *kept : std::string(frame), nullptr, false);
  demand(!read.is_discarded() && !holds_key(read));
  if (!tree.is_object() || types != 1 || is_error(tree)) {
    const Tree after = Tree::parse(passed, nullptr, false);
    demand(!after.is_discarded());
    demand(!holds_key(after));
  } else if (is_plainly_another(tree, frame)) {
    demand(!cut);
  } else if (letters(frame).find("audiodelta") == std::string::npos) {
    demand(!holds_key_in_error(Tree::parse(passed, nullptr, false)));
  }
  return 0;
}
