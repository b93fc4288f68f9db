// Process-wide system settings: limits on open files and on core dumps. Call them at start, on the
// main thread.
#pragma once

namespace verbatim::server {

/// Raises the soft limit on open files to the hard limit. A session needs two sockets, so the usual
/// soft limit of 1024 would be reached first.
void raise_file_limit();

/// Forbids core files, and debuggers of other processes of the same user (server.core_dumps):
/// memory holds the provider's key, tokens and transcript text. Returns 0, or the errno of the
/// failure.
int forbid_dumps();

}  // namespace verbatim::server
