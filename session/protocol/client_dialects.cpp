// The table of clients' dialects, with the signs by which their clients are recognised.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "session/protocol/client_dialect.hpp"
#include "session/protocol/clients/beta_dialect.hpp"

namespace verbatim::protocol {
namespace {

struct ClientRow {
  std::string_view subprotocol;
  std::string_view beta_feature;
  const ClientDialect& (*dialect)();
};

constexpr ClientRow client_dialects[] = {
    {"openai-beta.realtime-v1", "realtime=v1", beta_dialect},
};

bool has(const std::vector<std::string>& words, std::string_view wanted) {
  return std::find(words.begin(), words.end(), wanted) != words.end();
}

}  // namespace

const ClientDialect* client_dialect(const std::vector<std::string>& subprotocols,
                                    const std::vector<std::string>& beta_features) {
  const auto* const row = std::find_if(
      std::begin(client_dialects), std::end(client_dialects), [&](const ClientRow& one) {
        return has(subprotocols, one.subprotocol) || has(beta_features, one.beta_feature);
      });
  return row == std::end(client_dialects) ? nullptr : &row->dialect();
}

}  // namespace verbatim::protocol
