// Any bytes through the JSON readers: input that the strict one accepts, the lazy one must read
// completely.
#include <cstdint>
#include <cstdlib>

#include "base/json/view.hpp"

using namespace verbatim;
using namespace verbatim::json;

namespace {

void visit(View view, bool valid) {
  const Kind kind = view.kind();
  if (valid && kind == Kind::absent) std::abort();
  const auto text = view.string();
  if (valid && kind == Kind::string && !text) std::abort();
  view.integer();
  view.boolean();
  // Without recursion, so that only the reader's own limit on depth counts.
  std::size_t children = 0;
  for (Members members(view); members.next(); ++children) {
    if (valid && view[members.key()].kind() == Kind::absent &&
        members.key().find('\\') == std::string_view::npos)
      std::abort();
    if (children > 64) break;
  }
  for (Elements elements(view); elements.next(); ++children)
    if (children > 64) break;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto fault = check(bytes);
  if (fault && fault->offset > size) std::abort();
  View view = View::of(bytes);
  const bool valid = !fault;
  for (std::size_t depth = 0; depth < 2 * max_depth && (valid || view.exists()); ++depth) {
    visit(view, valid);
    Members members(view);
    Elements elements(view);
    if (members.next()) {
      view = members.value();
    } else if (elements.next()) {
      view = elements.value();
    } else {
      break;
    }
  }
  return 0;
}
