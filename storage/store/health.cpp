#include "storage/store/health.hpp"

#include <limits>

namespace verbatim::store {

const char* to_string(JournalState state) {
  switch (state) {
    case JournalState::working:
      return "working";
    case JournalState::stalled:
      return "stalled";
    case JournalState::unavailable:
      return "unavailable";
    case JournalState::fallback:
      return "fallback";
    case JournalState::failed:
      return "failed";
  }
  return "?";
}

const double JournalStats::bounds[bucket_count] = {
    0.00005, 0.0001, 0.00015, 0.0002, 0.0003, 0.0005,
    0.00075, 0.001,  0.0015,  0.002,  0.003,  0.005,
    0.0075,  0.01,   0.02,    0.05,   0.1,    0.25,
    0.5,     1,      2.5,     5,      10,     std::numeric_limits<double>::infinity()};

const char* to_string(LogState state) {
  switch (state) {
    case LogState::missing:
      return "missing";
    case LogState::empty:
      return "empty";
    case LogState::whole:
      return "whole";
    case LogState::cut_short:
      return "cut_short";
    case LogState::unreadable:
      return "unreadable";
    case LogState::damaged:
      return "damaged";
  }
  return "?";
}

}  // namespace verbatim::store
