#include "server/recording/trouble.hpp"

#include <cerrno>
#include <cstring>

namespace verbatim::recording {

Trouble system_trouble(const std::string& file) {
  return {errno == ENOENT ? TroubleKind::none_there : TroubleKind::unreadable,
          file + ": " + std::strerror(errno)};
}

}  // namespace verbatim::recording
