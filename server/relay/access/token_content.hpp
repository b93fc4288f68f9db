// Seals the content of a client token in the store: session settings, and metadata for back ends.
// Only the token holds the key. So a session can be erased without ending the tokens that opened
// it, which may open other sessions.
//
// Pure; any thread.
#pragma once

#include <string>

#include "storage/store/token_store.hpp"

namespace verbatim::access {

/// Seals the content with `key`, the key in the token's claims. Does nothing if it is empty.
void seal_content(store::ClientToken& token, const std::string& key);

/// Undoes seal_content(). Returns false if `token` was sealed with another key. Without a key it
/// leaves unsealed content of older versions as it is.
bool unseal_content(store::ClientToken& token, const std::string& key);

}  // namespace verbatim::access
