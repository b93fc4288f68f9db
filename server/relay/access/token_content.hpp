// What a client token stands for and the store keeps: settings of its sessions, and metadata that
// only back ends read. It is kept sealed and only the token has the key, so that erasing a session
// need not end the tokens that it was opened with, although they may open others.
//
// Pure; any thread.
#pragma once

#include <string>

#include "storage/store/client_tokens.hpp"

namespace verbatim::server {

/// `key`: of the token's claims. Empty: it stands for nothing, and nothing is done.
void seal_content(storage::ClientToken& token, const std::string& key);

/// As it was before seal_content(). False: it does not belong to a token with this key. Without a
/// key what is kept in the clear is left as it is (a program before this one has written it).
bool unseal_content(storage::ClientToken& token, const std::string& key);

}  // namespace verbatim::server
