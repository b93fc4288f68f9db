// Common parts of BodyMemory and AnswerMemory: the division of memory among callers, and the
// interval between log lines.
#pragma once

#include <chrono>
#include <cstddef>

namespace verbatim::net {

/// All client tokens together get at most 1/clients_part, so that back ends always have the rest.
inline constexpr std::size_t clients_part = 2;
/// One user gets at most 1/owners_part.
inline constexpr std::size_t owners_part = 8;

/// Between two log lines about refusals of one kind.
inline constexpr std::chrono::seconds refusal_lines_interval{10};

}  // namespace verbatim::net
