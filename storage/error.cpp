#include "storage/error.hpp"

namespace verbatim::storage {

const char* to_string(Failure failure) {
  switch (failure) {
    case Failure::disk_full:
      return "disk_full";
    case Failure::io_error:
      return "io_error";
    case Failure::corrupt:
      return "corrupt";
    case Failure::read_only:
      return "read_only";
    case Failure::busy:
      return "busy";
    case Failure::newer_schema:
      return "newer_schema";
    case Failure::queue_full:
      return "queue_full";
    case Failure::not_found:
      return "not_found";
    case Failure::other:
      return "other";
  }
  return "other";
}

}  // namespace verbatim::storage
