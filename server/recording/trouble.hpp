// The reason for which recorded audio cannot be read or archived. Plain values.
#pragma once

#include <cstdint>
#include <string>

namespace verbatim::recording {

enum class TroubleKind : std::uint8_t {
  none_there,   ///< there is no such file
  key_missing,  ///< the file needs a master key that is not configured
  damaged,      ///< the file is not as it was written
  unreadable,   ///< the system refuses a call
  elsewhere,    ///< the file is in a bucket and cannot be fetched now
};

struct Trouble {
  TroubleKind kind = TroubleKind::none_there;
  std::string why;
};

/// Of a call that failed just now: the file's name and the text of errno.
Trouble system_trouble(const std::string& file);

}  // namespace verbatim::recording
