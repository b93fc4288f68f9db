// Any bytes to the decoder, once with their own checksum and once with a correct one. It must
// refuse them or return an event that encodes and decodes to the same event.
#include <cstdlib>
#include <string>

#include <boost/crc.hpp>

#include "storage/rows/event_codec.hpp"

using namespace verbatim;
using namespace verbatim::rows;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  decode_event(bytes);
  boost::crc_32_type crc;
  crc.process_bytes(data, size);
  for (int shift = 0; shift < 32; shift += 8)
    bytes.push_back(static_cast<char>(crc.checksum() >> shift));
  if (const auto event = decode_event(bytes)) {
    const auto again = decode_event(encode_event(*event));
    if (!again || !(*again == *event)) std::abort();
  }
  return 0;
}
