// Sessions whose audio is being sent, fetched or removed: one at a time for each session. A session
// can be held: then nothing of it is sent or fetched, and what is under way stops.
//
// Any thread.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace verbatim::bucket {

class Gate {
 public:
  /// The kinds of work on a session. A removal may happen while the session is held.
  enum class Work { transfer, removal };

  /// False: another work is in progress, or the session is held.
  bool enter(const std::string& session_id, Work work);
  /// Ends the work that enter() has begun.
  void leave(const std::string& session_id);
  bool is_held(const std::string& session_id) const;

  /// `done`: no transfer is in progress, and none begins until release().
  void hold(const std::string& session_id, std::function<void()> done);
  void release(const std::string& session_id);

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Work> busy_;
  std::map<std::string, int> held_;
  std::map<std::string, std::vector<std::function<void()>>> when_free_;
};

}  // namespace verbatim::bucket
