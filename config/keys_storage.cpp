// Declares the settings of the journal, the store, posted copies and event streams.
#include <string_view>

#include "base/lines.hpp"
#include "config/declare.hpp"

namespace verbatim::config {

using namespace std::chrono_literals;
using S = Settings;

namespace {

/// The row of recording.key_file: the file must have keys, not words.
void require_keys(Key& row) {
  row.accepts = "a file of lines, each of 64 hexadecimal digits";
  row.read = [read = std::move(row.read)](Settings& settings, const Value& value, Source source) {
    read(settings, value, source);
    for (const std::string_view line : lines_of(settings.recording.key.reveal())) {
      if (line.size() == 64 && line.find_first_not_of("0123456789abcdefABCDEF") == line.npos)
        continue;
      settings.recording.key = Secret();
      throw BadValue(
          "names a file with a line that is not a key of 64 hexadecimal digits: make one with "
          "verbatim keygen --recording");
    }
  };
}

/// The settings of archived recordings.
void add_archive_keys(std::vector<Key>& table) {
  table.push_back(key(
      "recording.archive", &S::recording, &Recording::archive, RecordingArchive::pcm,
      choice<RecordingArchive>({{"pcm", RecordingArchive::pcm},
                                {"flac", RecordingArchive::flac},
                                {"opus", RecordingArchive::opus}}),
      "The form of recorded audio after its conversation. `pcm`: as it was recorded, which takes "
      "no CPU time and no second file. `flac`: the same samples in about half of the bytes. "
      "`opus`: for listening, in a fifteenth. G.711 stays as it came, since it is small. A thread "
      "of the lowest priority encodes one file at a time, checks the result, and only then "
      "removes the raw file."));
  // Not in a variable as well: VERBATIM_API_KEY, which commands read, would look like a
  // misspelling.
  table.push_back(watched(
      key("recording.key_file", &S::recording, &Recording::key, {}, secret_file(true),
          "Master keys that encrypt archived recordings, also with recording.archive = "
          "\"pcm\". Each is a line of 64 hexadecimal digits (`verbatim keygen --recording`). "
          "The first encrypts, the others only read: to change the key, put the new one above "
          "it. Keep a copy elsewhere: without the key these recordings cannot be heard. Not "
          "set: they are not encrypted."),
      the_file));
  table.back().role = Role::secret_file;
  table.back().example = "/etc/verbatim/recording.key";
  require_keys(table.back());
  table.push_back(key(
      "recording.archive_retry", &S::recording, &Recording::archive_retry, 1min,
      duration(100ms, 1h),
      "If a recording cannot be archived, it is tried again after this time, then after twice of "
      "it, and so on up to an hour. A disk is seldom repaired sooner, and the raw audio stays."));
  table.push_back(key(
      "recording.delete_when", &S::recording, &Recording::delete_when, DeleteWhen::expired,
      choice<DeleteWhen>({{"expired", DeleteWhen::expired}, {"complete", DeleteWhen::complete}}),
      "`expired`: recordings are removed by recording.retention, or with their session. "
      "`complete`: also once the attempt is final and its receipt says that the transcript is "
      "complete. The receipt is looked at again at least once an hour. Use it if you need audio "
      "only to repair transcripts."));
}

}  // namespace

std::vector<Key> make_storage_keys() {
  std::vector<Key> table = {
      key("journal.durability", &S::journal, &Journal::durability, Durability::power,
          choice<Durability>({{"power", Durability::power}, {"process", Durability::process}}),
          "The failures that the journal survives. `power` syncs each batch to the disk. `process` "
          "leaves that to the operating system: a crash of the program loses nothing, but a power "
          "cut may."),
      key("journal.queue_bytes_max", &S::journal, &Journal::queue_bytes_max, 64 * MiB,
          bytes(64 * KiB, 16 * GiB),
          "Data that may wait for the disk. While half of it waits, nothing is read from clients "
          "and providers."),
      key("journal.commit_interval", &S::journal, &Journal::commit_interval, 4ms,
          duration(0s, 100ms),
          "A commit begins at least this long after the one before, so that many rows share one "
          "sync of the disk. Text waits that long at most; text after a pause, ends, admissions, "
          "webhooks and the first audio of an answer do not wait. 0 commits as fast as the disk "
          "allows."),
      key("journal.batch_rows_max", &S::journal, &Journal::batch_rows_max, 1'000,
          number<std::size_t>(1, 100'000),
          "Rows and bytes of one commit, at most, so that no commit takes long."),
      key("journal.batch_bytes_max", &S::journal, &Journal::batch_bytes_max, MiB,
          bytes(4 * KiB, 64 * MiB), with_the_last),
      key("journal.busy_timeout", &S::journal, &Journal::busy_timeout, 2s, duration(0s, 1min),
          "How long to wait for another process that locks the database (`verbatim sessions`, a "
          "backup)."),
      key("journal.full_retry", &S::journal, &Journal::full_retry, 2s, duration(10ms, 10min),
          "How long conversations wait while the disk is full or locked. Then they go on in "
          "storage.fallback_dir, or end with storage_failure. The held data is retried until it "
          "is written, so the relay recovers from a full disk by itself."),
      key("journal.slow_commit", &S::journal, &Journal::slow_commit, 1s, duration(10ms, 1min),
          "While one commit takes longer than this, new conversations are refused."),
      key("journal.stuck_commit", &S::journal, &Journal::stuck_commit, 10s, duration(100ms, 10min),
          "A commit or a checkpoint that takes longer than this plus busy_timeout counts as "
          "failed: the disk does not answer."),
      key("journal.wal_checkpoint_bytes", &S::journal, &Journal::wal_checkpoint_bytes, 16 * MiB,
          bytes(64 * KiB, 4 * GiB),
          "The write-ahead log is checkpointed (copied into the database) all the time. When it "
          "has grown to this size, it is written from its beginning again."),
      key("journal.log_bytes_max", &S::journal, &Journal::log_bytes_max, 256 * MiB,
          bytes(64 * KiB, 1024 * GiB),
          "A reader that keeps a transaction open (a backup, another program) keeps the "
          "write-ahead log from being written from its beginning, so that it grows. Beyond this "
          "size `/readyz` (still 200) and a log line warn and name the reader, and the metric "
          "verbatim_journal_log_large is 1. Beyond twice this size new conversations are "
          "refused until the reader is gone. A start reads that much in about a third of a "
          "second. Keep it well above wal_checkpoint_bytes.",
          live),
      key("journal.read_max", &S::journal, &Journal::read_max, 10s, duration(100ms, 1h),
          "While the write-ahead log is larger than log_bytes_max, a read by the relay itself (a "
          "list, an export) that lasts longer than this is aborted and answered with 503.",
          live),
      key("storage.fallback_dir", &S::storage, &Storage::fallback_dir, {},
          path("a directory, or nothing"),
          "A directory on another disk, where journaling goes on if a write or a sync fails, or "
          "the disk stays full. New conversations are refused until journaling returns: after a "
          "full disk when there is room, after a failed write or sync at the next start. If no "
          "directory is set, all conversations end in these cases. After a failed write or sync "
          "the program ends too, so that a restart recovers."),
      key("storage.free_space_warn", &S::storage, &Storage::free_space_warn, GiB,
          bytes(0, 1024 * GiB),
          "Below this much free space a log line warns. A value above a fifth of the disk "
          "counts as a fifth.",
          live),
      key("storage.free_space_min", &S::storage, &Storage::free_space_min, 256 * MiB,
          bytes(0, 1024 * GiB),
          "Below this much free space new conversations are refused, so that running ones can "
          "end well. A value above a twentieth of the disk counts as a twentieth.",
          live),
      key("storage.ballast", &S::storage, &Storage::ballast, 64 * MiB, bytes(0, 16 * GiB),
          "Size of a file in server.data_dir that is deleted when the disk is full, to make "
          "room for the conversations that run. A value above a 32nd of the disk counts as a "
          "32nd. 0: no file.",
          live),
      key("storage.retention", &S::storage, &Storage::retention, 0s, duration(0s, 36'500 * day),
          "Sessions whose last attempt ended longer ago than this are erased, as by DELETE. If "
          "only other writers posted to a session, the last post counts. The check interval is a "
          "tenth of this time, from one second to ten minutes. 0s: sessions are kept for ever.",
          live),
      key("storage.search", &S::storage, &Storage::search, true, boolean(),
          "Keep a full-text index of stored transcripts (search.index in server.data_dir), for "
          "GET /v1/sessions?q=. It takes about 1.8 times the bytes of their text. false: the index "
          "is removed, and a search finds ids and users only."),
      key("posts.per_minute", &S::posts, &Posts::per_minute, 600, number<std::size_t>(0, 1'000'000),
          "Posts a minute to one session by its other writers (a browser, an agent). 0: no "
          "limit. A writer that posts each turn by itself makes many posts. Client tokens get "
          "half, counted apart, so that they cannot keep out the back end's copies.",
          live),
      key("posts.turns_max", &S::posts, &Posts::turns_max, 10'000,
          number<std::size_t>(1, 1'000'000),
          "Turns of one post, so that one request cannot take long to merge.", live),
      key("posts.turn_bytes_max", &S::posts, &Posts::turn_bytes_max, 64 * KiB, bytes(KiB, 16 * MiB),
          "The text of one turn. An hour of speech has about as much.", live),
      key("posts.copies_max", &S::posts, &Posts::copies_max, 10'000,
          number<std::size_t>(1, 1'000'000),
          "Different copies of one attempt. All of them are kept, and merged. Client tokens may "
          "fill half of this and of the next two, so that there is always room for the back "
          "end's copies.",
          live),
      key("posts.attempt_turns_max", &S::posts, &Posts::attempt_turns_max, 100'000,
          number<std::size_t>(1, 10'000'000),
          "Turns of all copies of one attempt together. Each post merges them, which takes "
          "longer the more there are. A post that would exceed this is refused (413), and "
          "nothing of it is kept.",
          live),
      key("posts.attempt_bytes_max", &S::posts, &Posts::attempt_bytes_max, 64 * MiB,
          bytes(KiB, 4 * GiB),
          "Bytes of all copies of one attempt together, as they are stored. Merging takes "
          "several times that much memory.",
          live),
      key("posts.client_turns_max", &S::posts, &Posts::client_turns_max, 10'000,
          number<std::size_t>(1, 10'000'000),
          "Turns of all posts with one client token, counted since the relay's start; a copy that "
          "is already kept does not count. A browser posts a conversation of an hour (some 500 "
          "turns) a few times. The limit keeps the holder of a token from blocking the merging "
          "thread for others. Beyond it: 413.",
          live),
      key("posts.client_bytes_max", &S::posts, &Posts::client_bytes_max, 8 * MiB,
          bytes(KiB, 4 * GiB), "The same in bytes, as they are stored.", live),
      key("posts.merged_bytes_max", &S::posts, &Posts::merged_bytes_max, 32 * MiB,
          bytes(0, 16 * GiB),
          "Memory for copies and their merged result, counted in stored bytes of copies, so that "
          "the next post or read of an attempt need not read them again. 0: none."),
      key("events.watchers_max", &S::events, &Events::watchers_max, 1'000,
          number<std::size_t>(0, 1'000'000),
          "Subscribers to event streams (GET /v1/sessions/{id}/events, GET /v1/live) at once. Each "
          "keeps a connection open. One more gets 503.",
          live),
      key("events.watchers_per_session_max", &S::events, &Events::watchers_per_session_max, 32,
          number<std::size_t>(1, 1'000'000),
          "Subscribers of one session at once; all streams of lists together count as one session. "
          "One more gets 429.",
          live),
      key("events.interval", &S::events, &Events::interval, 100ms, duration(1ms, 1min),
          "The shortest time between two updates of a stream. Changes in between come together, "
          "each turn as it stands then.",
          live),
      key("events.heartbeat", &S::events, &Events::heartbeat, 15s, duration(100ms, 10min),
          "Keepalive: a subscriber that gets nothing else is sent a comment this often, since "
          "proxies close silent connections.",
          live),
      key("events.write_timeout", &S::events, &Events::write_timeout, 30s, duration(100ms, 10min),
          "A subscriber that reads nothing for this long is disconnected. It can resume.", live),
      key("events.connection_max", &S::events, &Events::connection_max, 1h,
          duration(100ms, 7 * day),
          "The longest connection of a subscriber. It can resume; its permission is then checked "
          "again.",
          live),
      key("events.list_interval", &S::events, &Events::list_interval, 1s, duration(100ms, 1min),
          "The shortest time between two updates of the stream of a list (GET /v1/live). Each "
          "update reads the list.",
          live),
      key("capture.dir", &S::capture, &Capture::dir, {}, path("a directory, or nothing"),
          "Every connection's events are written here as JSON Lines, for `verbatim replay` and "
          "`simulate`. They hold what was said, audio included. Empty: off."),
      key("capture.start", &S::capture, &Capture::start, CaptureStart::always,
          choice<CaptureStart>(
              {{"always", CaptureStart::always}, {"on_request", CaptureStart::on_request}}),
          "`always`: every attempt is captured. `on_request`: an attempt is captured from the "
          "moment a back end asks for it (POST /v1/sessions/{id}/captured)."),
      key("recording.enabled", &S::recording, &Recording::enabled, Record::no,
          choice<Record>({{"no", Record::no}, {"yes", Record::yes}, {"token", Record::token}}),
          "Which sessions have the audio of both speakers recorded. `no`: none. `yes`: all, "
          "except those whose client token has `verbatim.recording` = false. `token`: those whose "
          "client token has `verbatim.recording` = true. Ask people first where the law requires "
          "it (docs/recording.md)."),
      key("recording.dir", &S::recording, &Recording::dir, {}, path("a directory, or nothing"),
          "The directory of the recordings. A minute of both speakers takes 5.8 MB (24 kHz PCM) or "
          "1 MB (G.711). Empty: `recordings` in server.data_dir."),
      key("recording.retention", &S::recording, &Recording::retention, 0s,
          duration(0s, 36'500 * day),
          "Recordings of sessions that ended longer ago than this are removed; the transcripts "
          "stay. The check interval is a tenth of this time, from one second to ten minutes. 0s: "
          "a recording stays as long as its session."),
      key("recording.free_space_min", &S::recording, &Recording::free_space_min, GiB,
          bytes(0, 1024 * GiB),
          "If recording.dir has less free space than this, the recording of a session stops, so "
          "that transcripts can still be written. A value above a tenth of the disk counts as a "
          "tenth."),
      key("recording.exports_max", &S::recording, &Recording::exports_max, 4,
          number<std::size_t>(1, 64),
          "Recordings that are sent as FLAC or Opus, or whose peaks are computed, at once. They "
          "share one thread of low priority, and each takes about 2 MB of memory. An hour of both "
          "speakers takes that thread about 4 s (FLAC) or 35 s (Opus). One more gets 503 and "
          "Retry-After. WAV is not counted."),
  };
  add_archive_keys(table);
  return table;
}

}  // namespace verbatim::config
