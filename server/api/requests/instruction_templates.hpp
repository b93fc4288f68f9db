// Makes instructions from a template and values. A value is inserted as data, with its borders
// marked. A value that could end its borders, begin a line or hide something is refused.
//
// Pure; any thread. The input is untrusted: an error names the bad value's place and the reason.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/json/tree_fwd.hpp"
#include "config/settings.hpp"

namespace verbatim::requests {

struct BadVariable {
  std::string place;  ///< verbatim.variables.NAME, or verbatim.template
  std::string why;
};

/// A text stands in it as <value name="NAME">...</value>, a number or a choice plainly.
/// `variables`: an object with exactly the template's variables.
tl::expected<std::string, BadVariable> instructions_of(
    const std::vector<config::InstructionTemplate>& templates, const std::string& name,
    const Json& variables);

}  // namespace verbatim::requests
