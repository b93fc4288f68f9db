// The terms of a session: what its client may do and how much it may use. The configuration sets
// them for all sessions. A minted token may replace rules of the policy (`verbatim.policy`), set
// stricter limits (`verbatim.limits`), and say whether the audio is recorded
// (`verbatim.recording`).
//
// Pure; any thread. Errors are values, unless stated otherwise.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "base/json/tree_fwd.hpp"
#include "config/settings.hpp"
#include "session/realtime_session.hpp"

namespace verbatim::access {

struct BadTerm {
  std::string place;  ///< for example verbatim.limits.tokens
  std::string why;
};

/// Validates `policy`, `limits` and `recording` of a request's `verbatim` object. Returns them as
/// they are stored with the token. A limit may be stricter than the configured one, never wider.
/// `provider`: the protocol whose events `client_events` may name.
tl::expected<std::string, BadTerm> read_terms(
    const Json& verbatim, const config::Settings& settings,
    const protocol::ProviderDialect& provider = protocol::default_provider_dialect());

/// Applies the terms to a session's options. Precondition: `terms_json` is from read_terms(), or
/// empty.
void apply_terms(const config::Settings& settings, const std::string& terms_json,
                 session::SessionOptions& options);

/// Whether a session with these terms is recorded. Empty: one without a token, or without terms.
bool is_recorded(const config::Recording& settings, const std::string& terms_json);

/// Throws ConfigError if [policy] names an unknown field: a misspelt lock would protect nothing.
void require_known_fields(const config::Settings& settings);

}  // namespace verbatim::access
