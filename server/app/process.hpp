// The process: its limits on open files and on core dumps, and the file that says that it is ready.
// Call them at start, on the main thread.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <string>

namespace verbatim::app {

/// Raises the soft limit on open files to the hard limit. A session needs two sockets, so the usual
/// soft limit of 1024 would be reached first.
void raise_file_limit();

/// Forbids core files, and debuggers of other processes of the same user (server.core_dumps):
/// memory holds the provider's key, tokens and transcript text. Returns 0, or the errno of the
/// failure.
int forbid_dumps();

/// Writes the process id and the URL at which it now accepts connections. Empty path: does nothing.
void write_ready_file(const std::filesystem::path& file, const std::string& url);

/// Blocks or unblocks signals (`how`: as for pthread_sigmask) for the calling thread, and for those
/// that it starts from now on.
void set_signal_mask(int how, std::initializer_list<int> signals);

}  // namespace verbatim::app
