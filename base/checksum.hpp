// A CRC-32 is stored after the bytes that it covers, to detect corruption on the disk. Pure; any
// thread.
#pragma once

#include <boost/crc.hpp>
#include <cstdint>
#include <string_view>

namespace verbatim {

inline std::uint32_t checksum(std::string_view bytes) {
  boost::crc_32_type crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return crc.checksum();
}

}  // namespace verbatim
