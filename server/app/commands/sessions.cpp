// verbatim sessions list, show, export, delete; end is in live_sessions.cpp
#include <chrono>
#include <iostream>
#include <stdexcept>

#include "base/clock.hpp"
#include "base/json/tree.hpp"
#include "base/printable.hpp"
#include "server/api/requests/queries.hpp"
#include "server/api/session_json.hpp"
#include "server/app/commands/families.hpp"
#include "server/app/commands/offline.hpp"
#include "server/app/progress.hpp"
#include "server/relay/recordings.hpp"
#include "server/relay/traffic_capture.hpp"
#include "session/transcript/render/render.hpp"
#include "storage/store/session_cursor.hpp"

namespace verbatim::app {

namespace {

int fail_unknown(const std::string& id) {
  return fail("there is no session " + id, exit_code::not_found);
}

struct ListOptions {
  std::string question;
  std::string user;
  std::string status;
  std::size_t limit = 50;
  std::string cursor;
};

void add_list_options(CLI::App& parser, ListOptions& options) {
  parser
      .add_option("--q", options.question,
                  "words to find in stored transcripts, or the beginning of an id or a user")
      ->check(checked_by([](const std::string& text) {
        if (!requests::is_question(text)) throw std::invalid_argument(requests::question_form);
      }));
  parser.add_option("--user", options.user, "sessions of this user only");
  parser.add_option("--status", options.status, "sessions with this status only")
      ->check(CLI::IsMember({"created", "live", "detached", "recovering", "final"}));
  parser.add_option("--limit", options.limit, "at most this many sessions")
      ->check(CLI::Range(1, 500));
  parser.add_option("--cursor", options.cursor, "next_cursor of the page before")
      ->check(not_empty());
}

void print_line(const store::SessionSummary& one, const api::RecordingKept& recording_kept) {
  const Json session = api::to_json(one, api::Detail::listed, recording_kept);
  const Json& reason = session["close_reason"];
  std::cout << one.id << "  " << iso_time(one.created_at) << "  "
            << transcript::to_string(one.status) << "  "
            << (reason.is_string() ? reason.get<std::string>() : "-")
            << "  turns=" << session["turns"] << "  user=" << printable(one.user) << "\n";
}

int list(const Common& common, const ListOptions& options) {
  store::SessionFilter filter;
  filter.limit = options.limit;
  filter.question = options.question;
  if (!options.user.empty()) filter.user = options.user;
  filter.status = transcript::session_status_from_string(options.status);
  filter.cursor = options.cursor;
  if (!filter.cursor.empty() && !store::parse_session_cursor(filter.sort, filter.cursor))
    return fail("--cursor: use next_cursor of the page before", exit_code::bad_usage);
  const config::Settings settings = common.settings();
  const store::SessionPage page = store_of(settings).list_sessions(filter);
  if (common.as_json) {
    Json shown = api::to_json(page, {}, api::recording_kept(settings.recording));
    if (!filter.question.empty()) shown["search_complete"] = page.search_complete;
    print(shown);
    return exit_code::ok;
  }
  for (std::size_t i = 0; i < page.sessions.size(); ++i) {
    print_line(page.sessions[i], api::recording_kept(settings.recording));
    if (i < page.hits.size() && page.hits[i])
      std::cout << "    " << printable(page.hits[i]->snippet) << "\n";
  }
  if (!page.search_complete)
    std::cerr << "The index does not have every transcript yet: a running relay makes it.\n";
  if (!page.next_cursor.empty())
    std::cerr << "There are more: add --cursor " << page.next_cursor << "\n";
  return exit_code::ok;
}

struct OneSession {
  std::string id;
};

void add_one_session(CLI::App& parser, OneSession& options) { add_session_id(parser, options.id); }

int show(const Common& common, const OneSession& options) {
  const config::Settings settings = common.settings();
  const auto session = store_of(settings).find_session(options.id);
  if (!session) return fail_unknown(options.id);
  print(api::to_json(*session, api::Detail::whole, api::recording_kept(settings.recording)));
  return exit_code::ok;
}

struct ExportOptions {
  std::string id;
  std::string format = "text";
  std::string attempt;
};

void add_export_options(CLI::App& parser, ExportOptions& options) {
  add_session_id(parser, options.id);
  add_format(parser, options.format);
  parser.add_option("--attempt", options.attempt, "number, or all; default: latest")
      ->check(CLI::Range(1, 1'000'000) | CLI::IsMember({"all"}));
}

int export_transcript(const Common& common, const ExportOptions& options) {
  const transcript::Format format =
      *transcript::format_from_string(common.as_json ? "json" : options.format);
  store::TranscriptRequest request;
  request.session_id = options.id;
  request.all_attempts = options.attempt == "all";
  if (!request.all_attempts && !options.attempt.empty())
    request.attempt = std::stoi(options.attempt);
  const auto views = store_of(common.settings()).read_transcripts(request);
  if (!views) {
    if (request.all_attempts) return fail_unknown(options.id);
    return fail("there is no such session or attempt: " + options.id, exit_code::not_found);
  }
  print_transcript(request.all_attempts ? transcript::render(options.id, *views, format)
                                        : transcript::render(views->front(), format));
  if (format == transcript::Format::json) std::cout << "\n";
  return exit_code::ok;
}

/// The log of a busy server may be in use: then this waits some seconds.
std::optional<std::filesystem::path> erase_with_progress(const maintenance::OfflineStore& store,
                                                         const std::string& id) {
  const Progress progress("delete " + id, 0);
  return store.erase_session(id);
}

int erase(const Common& common, const OneSession& options) {
  const std::string& id = options.id;
  const config::Settings settings = common.settings();
  const maintenance::OfflineStore store = store_of(settings);
  const auto session = store.find_session(id);
  if (!session) return fail_unknown(id);
  if (session->status != transcript::SessionStatus::created &&
      session->status != transcript::SessionStatus::final) {
    return fail("session " + id + " is live; end it first", exit_code::failed);
  }
  // First: if it cannot be removed, the session still exists and can be erased again.
  if (!relay::erase_captured(settings.capture.dir, id)) {
    return fail("cannot remove every captured file of session " + id + " from " +
                    settings.capture.dir.string() + "; nothing else of it was erased",
                exit_code::failed);
  }
  if (!relay::erase_recording(relay::recordings_dir(settings), id)) {
    return fail("cannot remove the recorded audio of session " + id + " from " +
                    relay::recordings_dir(settings).string() + "; its record was not erased",
                exit_code::failed);
  }
  if (const auto log = erase_with_progress(store, id)) {
    return fail("session " + id + " is erased, but its text is still in the write-ahead log " +
                    log->string() +
                    ", because another process is reading that log. The relay empties the log "
                    "when it erases the next session or stops",
                exit_code::failed);
  }
  if (store.objects_left(id) > 0)
    std::cerr << "The bucket still has recorded audio of it; the next start of the relay removes "
                 "it.\n";
  if (common.as_json) print({{"id", id}, {"erased", true}});
  return exit_code::ok;
}

}  // namespace

Family session_commands() {
  return {"sessions",
          "list, show, export, end or delete sessions",
          {command("list", "list stored sessions, newest first", add_list_options, list),
           command("show", "show one session", add_one_session, show),
           command("export", "print a transcript", add_export_options, export_transcript),
           session_end_command(),
           command("delete", "erase one session and all of its data", add_one_session, erase)}};
}

}  // namespace verbatim::app
