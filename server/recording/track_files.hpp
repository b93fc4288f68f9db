// The names of recorded audio: SESSION/ATTEMPT.TRACK.FORM in recording.dir (docs/recording.md).
//
// Pure, except list_tracks(); any thread.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "session/transcript/event.hpp"

namespace verbatim::recording {

inline constexpr transcript::AudioTrack tracks[] = {transcript::AudioTrack::user,
                                                    transcript::AudioTrack::assistant};

/// The form of a track's file. A track has one, and two for the moment between the end of its
/// archive and the removal of the raw file.
enum class Form {
  raw,     ///< as it came
  flac,    ///< a FLAC file
  opus,    ///< an Ogg Opus file
  sealed,  ///< one of these, encrypted
};
/// Those that an archive can have.
inline constexpr Form archive_forms[] = {Form::flac, Form::opus, Form::sealed};

/// One speaker's audio of one attempt.
struct Track {
  std::string session_id;
  int attempt = 1;
  transcript::AudioTrack track = transcript::AudioTrack::user;
  friend bool operator==(const Track&, const Track&) = default;
};

/// "1.user"
std::string track_name(const Track& track);

/// The session's folder. `directory`: recording.dir.
std::filesystem::path folder_of(const std::filesystem::path& directory,
                                const std::string& session_id);
/// The session of a folder; nullopt: it is none of ours.
std::optional<std::string> session_of(const std::filesystem::path& folder);

std::filesystem::path file_of(const std::filesystem::path& directory, const Track& track,
                              Form form);
/// An archive that is not complete.
std::filesystem::path unfinished_file_of(const std::filesystem::path& directory,
                                         const Track& track);

/// The peaks that were computed of an attempt (docs/recording.md).
std::filesystem::path peaks_file_in(const std::filesystem::path& folder, int attempt);

struct TrackFile {
  Track track;
  Form form = Form::raw;
  bool unfinished = false;
};
/// nullopt: another file.
std::optional<TrackFile> track_file(const std::string& session_id, std::string_view name);
/// Those in a session's folder.
std::vector<TrackFile> list_tracks(const std::filesystem::path& directory,
                                   const std::string& session_id);

}  // namespace verbatim::recording
