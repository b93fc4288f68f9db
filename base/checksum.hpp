// CRC-32, as it stands behind what is written: finds what a disk has changed. Pure; any thread.
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
