// Declares the JSON trees of tree.hpp, for headers that only name them.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace verbatim {

using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;  ///< keeps the order of its members

}  // namespace verbatim
