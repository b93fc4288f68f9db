// A provider that plays a recording: it sends the server events byte for byte and in order. Each
// waits for the client events that precede it in the file. One thread; the recording is kept in
// memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "session/protocol/recording.hpp"
#include "simulator/outgoing.hpp"
#include "simulator/provider.hpp"

namespace verbatim::simulator {

class RecordingPlayer final : public Provider {
 public:
  RecordingPlayer(protocol::Recording recording, Pace pace, Outgoing& outgoing,
                  std::int64_t now_ms);

  void on_message(std::string_view message, std::int64_t now_ms) override;
  std::optional<Due> due() const override;
  void step() override;

 private:
  void wait_for_client(std::int64_t now_ms);

  protocol::Recording recording_;
  Pace pace_;
  Outgoing& outgoing_;
  std::size_t next_ = 0;
  std::map<std::string, std::uint64_t, std::less<>>
      said_;                        // client events received and not yet matched
  std::int64_t from_ms_ = 0;        // time of the last event, in either direction
  std::int64_t from_recorded_ = 0;  // time of that event in the recording
};

/// Loads the recording of this name from the folder; nullopt if there is none. Throws
/// std::runtime_error if it cannot be read.
std::optional<protocol::Recording> find_recording(const std::filesystem::path& folder,
                                                  const std::string& name);

}  // namespace verbatim::simulator
