// What the process asks of the system for itself: files it may open, and who may look into it.
#pragma once

namespace verbatim::server {

/// As many open files as it may have: two sockets a session, and the usual soft limit of 1024 would
/// be the first thing to run out.
void raise_file_limit();

/// Memory holds the provider's key, tokens and what is said: no core file, and no debugger of
/// another process of the same user (server.core_dumps). Zero, or the errno of the refusal.
int forbid_dumps();

}  // namespace verbatim::server
