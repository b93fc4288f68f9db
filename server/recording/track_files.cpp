#include "server/recording/track_files.hpp"

#include <algorithm>
#include <charconv>

#include "base/enum_names.hpp"
#include "base/ids.hpp"

namespace verbatim::recording {

namespace {

namespace fs = std::filesystem;
using transcript::AudioTrack;

constexpr Name<AudioTrack> track_names[] = {{AudioTrack::user, "user"},
                                            {AudioTrack::assistant, "assistant"}};
constexpr Name<Form> form_names[] = {
    {Form::raw, "pcm"}, {Form::flac, "flac"}, {Form::opus, "opus"}, {Form::sealed, "sealed"}};
constexpr std::string_view unfinished = "tmp";

/// The part before the first dot, which is cut off with it.
std::string_view first_part(std::string_view& name) {
  const std::string_view part = name.substr(0, name.find('.'));
  name.remove_prefix(std::min(name.size(), part.size() + 1));
  return part;
}

}  // namespace

std::string track_name(const Track& track) {
  return std::to_string(track.attempt) + "." + std::string(name_of(track.track, track_names));
}

/// An id of dots alone would name another folder; no id has '%'.
fs::path folder_of(const fs::path& directory, const std::string& session_id) {
  const bool dots = session_id.find_first_not_of('.') == std::string::npos;
  return directory / (dots ? "%" + session_id : session_id);
}

std::optional<std::string> session_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  std::string id = name.starts_with('%') ? name.substr(1) : name;
  if (!is_valid_session_id(id)) return std::nullopt;
  return id;
}

fs::path file_of(const fs::path& directory, const Track& track, Form form) {
  return folder_of(directory, track.session_id) /
         (track_name(track) + "." + std::string(name_of(form, form_names)));
}

fs::path unfinished_file_of(const fs::path& directory, const Track& track) {
  return folder_of(directory, track.session_id) /
         (track_name(track) + "." + std::string(unfinished));
}

fs::path peaks_file_in(const fs::path& folder, int attempt) {
  return folder / (std::to_string(attempt) + ".peaks");
}

std::optional<TrackFile> track_file(const std::string& session_id, std::string_view name) {
  TrackFile found{{session_id}};
  const std::string_view number = first_part(name);
  const char* const end = number.data() + number.size();
  const auto read = std::from_chars(number.data(), end, found.track.attempt);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  const auto track = value_of(first_part(name), track_names);
  if (!track) return std::nullopt;
  found.track.track = *track;
  found.unfinished = name == unfinished;
  if (found.unfinished) return found;
  const auto form = value_of(name, form_names);
  if (!form) return std::nullopt;
  found.form = *form;
  return found;
}

std::vector<TrackFile> list_tracks(const fs::path& directory, const std::string& session_id) {
  std::vector<TrackFile> found;
  std::error_code ec;
  for (fs::directory_iterator file(folder_of(directory, session_id), ec), end; !ec && file != end;
       file.increment(ec)) {
    if (auto one = track_file(session_id, file->path().filename().string()))
      found.push_back(*std::move(one));
  }
  return found;
}

}  // namespace verbatim::recording
