#include "storage/journal/commit_signal.hpp"

namespace verbatim::journal {

void CommitSignal::arm() {
  event_.reset();
  armed_.store(true);
}

void CommitSignal::notify() {
  if (armed_.load() && armed_.exchange(false)) event_.notify();
}

}  // namespace verbatim::journal
