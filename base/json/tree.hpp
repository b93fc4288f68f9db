// A JSON value as a tree: to build one, or to read a small one from a trusted source. Read messages
// from outside with json/view.hpp or json/outline.hpp instead. One thread.
#pragma once

#include <nlohmann/json.hpp>

#include "base/json/tree_fwd.hpp"
