// Sessions as JSON, for the API and the command line alike. Shapes: openapi.json.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json/tree_fwd.hpp"
#include "config/settings.hpp"
#include "storage/store/session_store.hpp"

namespace verbatim::api {

/// A session alone also has the usage of each response and the incidents of each attempt.
enum class Detail { listed, whole };

/// How long recordings are kept.
struct RecordingKept {
  std::chrono::milliseconds retention{0};  ///< 0: as long as the session
  bool until_complete = false;             ///< recording.delete_when is `complete`
};
RecordingKept recording_kept(const config::Recording& settings);

Json to_json(const store::SessionSummary& session, Detail detail,
             const RecordingKept& recording_kept);

/// A page of a list or of a search. `fields`: the members that each session has; empty: all.
Json to_json(const store::SessionPage& page, const std::vector<std::string>& fields,
             const RecordingKept& recording_kept);

/// The members of a session in a list.
std::span<const std::string_view> listed_members();

}  // namespace verbatim::api
