// Headers for a collector in the form of OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`, with
// %XX for a comma or a blank in a value. Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace verbatim::config {

/// Throws BadValue, without the text, which is a secret.
std::vector<std::pair<std::string, std::string>> parse_otlp_headers(std::string_view text);

}  // namespace verbatim::config
