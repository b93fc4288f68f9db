#include "config/literal.hpp"

namespace verbatim::config {

std::string toml_literal(const Value& value) {
  std::string out;
  if (value.is_array()) {
    for (const Value& element : value) out += (out.empty() ? "" : ", ") + toml_literal(element);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (const auto& [name, element] : value.items()) {
      out += (out.empty() ? "" : ", ") + name + " = " + toml_literal(element);
    }
    return "{ " + out + " }";
  }
  return value.dump();
}

}  // namespace verbatim::config
