// The terms of a session: what its client may do and how much it may use. The configuration says
// what holds for everybody; whoever mints a token may say more for that one, in `verbatim.policy`
// and `verbatim.limits`.
//
// Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "config/settings.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::server {

struct BadTerm {
  std::string place;  ///< verbatim.limits.tokens
  std::string why;
};

/// The two members of a request's `verbatim` object, judged: as they are kept with the token. A
/// limit may be stricter than the configuration's, never wider.
std::variant<std::string, BadTerm> read_terms(const nlohmann::json& verbatim,
                                              const config::Settings& settings);

/// Sets what a session is held to. Precondition: `terms_json` is of read_terms(), or empty.
void apply_terms(const config::Settings& settings, const std::string& terms_json,
                 session::SessionOptions& options);

/// Throws ConfigError where [policy] names a field that can only be a slip of the pen: a lock that
/// holds nothing is none.
void require_known_fields(const config::Settings& settings);

}  // namespace verbatim::server
