// Recorded audio that is also kept elsewhere, in a bucket. Recordings and erasures use it through
// this; server/bucket implements it.
//
// Any thread. A callback is called once, on any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/recording/trouble.hpp"
#include "server/relay/audio_sender.hpp"
#include "storage/store/call.hpp"

namespace verbatim::relay {

class RemoteAudio : public AudioSender {
 public:
  using Attempts = std::vector<std::pair<std::string, int>>;

  /// The files of a final attempt are as they stay: they can be sent.
  virtual void offer(const std::string& session_id, int attempt) = 0;
  /// All objects of the session, or of one attempt, have to be removed: the store has noted it, and
  /// they are removed as soon as that can be done. The result is how many are not removed yet.
  virtual void give_up(const std::string& session_id, std::optional<int> attempt,
                       store::Done<std::int64_t> done) = 0;
  /// `gone`: no object is left of those that have to be removed.
  virtual void when_removed(const std::string& session_id, std::function<void()> gone) = 0;
  /// Brings the attempt's files back that are not here any more. A trouble: there are such files,
  /// and they cannot be had now.
  virtual void bring_back(const std::string& session_id, int attempt,
                          std::function<void(std::optional<recording::Trouble>)> done) = 0;
  /// The session's files are being read: they have to stay here.
  virtual void used(const std::string& session_id) = 0;
  /// The attempts that are kept there, and the sessions whose objects were all stored before.
  virtual void kept(store::Done<Attempts> done) = 0;
  virtual void kept_before(TimeMs time, store::Done<std::vector<std::string>> done) = 0;
};

}  // namespace verbatim::relay
