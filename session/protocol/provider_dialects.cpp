#include "session/protocol/provider_dialects.hpp"

#include <algorithm>
#include <iterator>

#include "session/protocol/openai/openai_dialect.hpp"

namespace verbatim::protocol {
namespace {

struct Row {
  std::string_view name;
  const ProviderDialect& (*dialect)();
};

// A new dialect adds its row.
constexpr Row dialects[] = {
    {"openai", openai_dialect},
};

}  // namespace

const ProviderDialect* provider_dialect(std::string_view name) {
  const auto* const row = std::find_if(std::begin(dialects), std::end(dialects),
                                       [name](const Row& one) { return one.name == name; });
  return row == std::end(dialects) ? nullptr : &row->dialect();
}

const ProviderDialect& default_provider_dialect() { return dialects[0].dialect(); }

}  // namespace verbatim::protocol
