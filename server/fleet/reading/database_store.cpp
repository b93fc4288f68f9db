#include "server/fleet/reading/database_store.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "server/fleet/reading/copy_posts.hpp"
#include "server/fleet/reading/session_lists.hpp"
#include "server/fleet/reading/session_rows.hpp"

namespace verbatim::reading {

using database::Connection;
using database::DatabaseError;
using database::DatabaseResult;
using store::Failure;
using store::StorageError;
using store::StoreResult;

namespace {

/// A list does not wait longer for what this node has not shipped yet.
constexpr auto catch_up_max = std::chrono::milliseconds(1000);

StorageError of_database(const DatabaseError& error) {
  return {Failure::fleet_database, error.message};
}

/// Refuses a call that the API does not make here.
template <class T>
void refuse(const store::Done<T>& done) {
  done(tl::unexpected(
      StorageError(Failure::fleet_database, "only the session's relay can change it")));
}

/// Passes the two kinds of errors on as one.
template <class T>
std::function<void(DatabaseResult<StoreResult<T>>)> passed_on(store::Done<T> done) {
  return [done = std::move(done)](DatabaseResult<StoreResult<T>> result) {
    if (!result) return done(tl::unexpected(of_database(result.error())));
    done(*std::move(result));
  };
}

/// Whether the session's node, which does not answer, may have later words of the attempt.
bool is_tail_pending(const store::SessionRows& rows, int number) {
  return std::any_of(rows.attempts.begin(), rows.attempts.end(), [&](const auto& one) {
    return one.attempt.name.number == number && one.tail_pending;
  });
}

void mark_tail(transcript::TranscriptView& view, const store::SessionRows& rows) {
  if (is_tail_pending(rows, view.attempt))
    view.gaps.push_back({{}, transcript::GapKind::tail_pending, 0, 0});
}

}  // namespace

DatabaseStore::DatabaseStore(DatabaseStoreParts parts)
    : parts_(std::move(parts)),
      lists_(parts_.settings, "fleet lists", parts_.log),
      sessions_(parts_.settings, "fleet sessions", parts_.log),
      posts_(parts_.settings, "fleet posts", parts_.log) {}

template <class T>
void DatabaseStore::read_image(std::string id, bool content,
                               std::optional<store::TranscriptRequest> one,
                               std::optional<std::string> token, store::ReadLabel label,
                               std::function<StoreResult<T>(const Image&)> read,
                               store::Done<T> done) {
  RowsWanted wanted{content, one && !one->all_attempts, one ? one->attempt : std::optional<int>(),
                    std::move(token)};
  const auto work = [this, id = std::move(id), wanted = std::move(wanted), read = std::move(read)](
                        Connection& connection) -> DatabaseResult<StoreResult<T>> {
    auto found = read_session_rows(connection, id, wanted, parts_.settings.read_bytes_max);
    if (!found) return tl::unexpected(std::move(found.error()));
    if (found->too_large > 0)
      return StoreResult<T>(tl::unexpect,
                            StorageError(Failure::too_many,
                                         "session " + id + " is larger than fleet.read_bytes_max"));
    if (!found->rows) return read({});
    auto image = parts_.open_image(*found->rows);
    if (!image) return StoreResult<T>(tl::unexpect, std::move(image.error()));
    return read({image->get(), &*found->rows});
  };
  sessions_.run<StoreResult<T>>(label.share, true, work, passed_on<T>(std::move(done)));
}

// --- SessionStore -------------------------------------------------------------------------------

void DatabaseStore::list_sessions(store::SessionFilter filter, store::ReadLabel label,
                                  store::Done<store::SessionPage> done) {
  const auto read = [this, filter = std::move(filter)](Connection& connection) {
    parts_.catch_up(catch_up_max);
    return reading::list_sessions(connection, filter);
  };
  lists_.run<StoreResult<store::SessionPage>>(label.share, true, read,
                                              passed_on<store::SessionPage>(std::move(done)));
}

void DatabaseStore::find_session(std::string id, store::ReadLabel label,
                                 store::Done<std::optional<store::SessionSummary>> done) {
  using Found = std::optional<store::SessionSummary>;
  const auto read = [](const Image& of) -> StoreResult<Found> {
    if (of.image == nullptr) return Found();
    auto found = of.image->session();
    if (found && *found)
      for (store::AttemptSummary& one : (*found)->attempts)
        one.tail_pending = is_tail_pending(*of.rows, one.number);
    return found;
  };
  read_image<Found>(std::move(id), true, std::nullopt, std::nullopt, std::move(label), read,
                    std::move(done));
}

void DatabaseStore::find_owner(std::string id, store::ReadLabel label,
                               store::Done<std::optional<std::string>> done) {
  using Found = std::optional<std::string>;
  const auto read = [](const Image& of) -> StoreResult<Found> {
    if (of.image == nullptr) return Found();
    auto found = of.image->session();
    if (!found) return tl::unexpected(std::move(found.error()));
    return *found ? Found((*found)->user) : Found();
  };
  read_image<Found>(std::move(id), false, std::nullopt, std::nullopt, std::move(label), read,
                    std::move(done));
}

void DatabaseStore::read_transcripts(store::TranscriptRequest request, store::ReadLabel label,
                                     store::Done<std::optional<store::TranscriptViews>> done) {
  using Found = std::optional<store::TranscriptViews>;
  const auto read = [request](const Image& of) -> StoreResult<Found> {
    if (of.image == nullptr) return Found();
    auto found = of.image->transcripts(request);
    if (found && *found)
      for (transcript::TranscriptView& view : **found) mark_tail(view, *of.rows);
    return found;
  };
  read_image<Found>(request.session_id, true, request, std::nullopt, std::move(label), read,
                    std::move(done));
}

void DatabaseStore::sessions_ended_before(TimeMs, std::size_t, store::ReadLabel,
                                          store::Done<std::vector<std::string>> done) {
  refuse(done);
}
void DatabaseStore::create_session(store::NewSession, store::Done<store::MadeSession> done) {
  refuse(done);
}
void DatabaseStore::patch_metadata(std::string, store::MetadataPatch, std::size_t,
                                   store::Done<> done) {
  refuse(done);
}
void DatabaseStore::erase_session(std::string, store::TokenClock, store::Done<bool> done,
                                  std::function<void()>) {
  refuse(done);
}

// --- CopyStore ----------------------------------------------------------------------------------

void DatabaseStore::compute(store::MergeLane lane, store::ReadLabel label,
                            std::function<void()> work) {
  parts_.local.compute(lane, std::move(label), std::move(work));
}

void DatabaseStore::keep_copy(store::PostedCopy posted, store::Done<store::KeptCopy> done) {
  using Posted = store::SessionImage::Posted;
  const auto shared = std::make_shared<const store::PostedCopy>(std::move(posted));
  const auto work = [this, shared](Connection& connection) {
    return post_copy(connection, *shared, parts_.open_image, parts_.settings.read_bytes_max);
  };
  const auto answer = [done = std::move(done)](StoreResult<Posted> posted) {
    if (!posted) return done(tl::unexpected(std::move(posted).error()));
    done(posted->kept);
  };
  // Not a second time: whether the first one was committed would be unknown.
  posts_.run<StoreResult<Posted>>(shared->session_id, false, work,
                                  passed_on<Posted>(std::move(answer)));
}

void DatabaseStore::merge_copy(store::KeptCopy kept, std::string, store::ReadLabel,
                               store::Done<std::optional<store::PostOutcome>> done) {
  done(std::move(kept.outcome));
}

// --- TokenStore ---------------------------------------------------------------------------------

void DatabaseStore::read_standing(store::TokenUse use, store::TokenClock clock,
                                  store::ReadLabel label, store::Done<store::TokenStanding> done) {
  const auto read = [use, clock](const Image& of) -> StoreResult<store::TokenStanding> {
    if (of.image == nullptr) return store::TokenStanding();
    return of.image->standing(use, clock);
  };
  read_image<store::TokenStanding>(use.session_id, false, std::nullopt, use.id, std::move(label),
                                   read, std::move(done));
}

void DatabaseStore::list_tokens(store::TokenFilter, store::TokenClock, store::ReadLabel,
                                store::Done<store::TokenPage> done) {
  refuse(done);
}
void DatabaseStore::save_token(store::ClientToken, store::TokenClock, store::Done<> done) {
  refuse(done);
}
void DatabaseStore::revoke_token(std::string, TimeMs, store::Done<bool> done) { refuse(done); }
void DatabaseStore::revoke_tokens_of_other_keys(std::vector<std::string>, TimeMs,
                                                store::Done<std::vector<std::string>> done) {
  refuse(done);
}

// --- TailStore ----------------------------------------------------------------------------------

void DatabaseStore::start_tail(store::TailRequest request, store::ReadLabel label,
                               store::Done<std::optional<store::TailStart>> done) {
  using Found = std::optional<store::TailStart>;
  const auto read = [request](const Image& of) -> StoreResult<Found> {
    if (of.image == nullptr) return Found();
    auto found = of.image->tail(request);
    if (!found || !*found || (*found)->nothing_new) return found;
    if (!(*found)->ended) return Found();  // not begun: there is nothing to show
    auto state = std::make_shared<store::TailState>(*(*found)->ended);
    mark_tail(state->head, *of.rows);
    (*found)->ended = std::move(state);
    return found;
  };
  read_image<Found>(request.session_id, true, std::nullopt, std::nullopt, std::move(label), read,
                    std::move(done));
}

void DatabaseStore::look(store::MergeLane, std::vector<store::TailWanted>,
                         store::Done<store::TailLook> done) {
  refuse(done);
}

}  // namespace verbatim::reading
