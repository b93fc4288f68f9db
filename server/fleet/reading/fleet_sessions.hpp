// The sessions of a node in a fleet, as the API sees them: lists have the sessions of all nodes,
// everything else is this node's.
//
// Any thread.
#pragma once

#include <utility>

#include "storage/store/session_store.hpp"

namespace verbatim::reading {

class FleetSessions final : public store::SessionStore {
 public:
  /// Both must outlive it.
  FleetSessions(store::SessionStore& own, store::SessionStore& all) : own_(own), all_(all) {}

  void list_sessions(store::SessionFilter filter, store::ReadLabel label,
                     store::Done<store::SessionPage> done) override {
    all_.list_sessions(std::move(filter), std::move(label), std::move(done));
  }
  void find_session(std::string id, store::ReadLabel label,
                    store::Done<std::optional<store::SessionSummary>> done) override {
    own_.find_session(std::move(id), std::move(label), std::move(done));
  }
  void find_owner(std::string id, store::ReadLabel label,
                  store::Done<std::optional<std::string>> done) override {
    own_.find_owner(std::move(id), std::move(label), std::move(done));
  }
  void read_transcripts(store::TranscriptRequest request, store::ReadLabel label,
                        store::Done<std::optional<store::TranscriptViews>> done) override {
    own_.read_transcripts(std::move(request), std::move(label), std::move(done));
  }
  void sessions_ended_before(TimeMs time, std::size_t limit, store::ReadLabel label,
                             store::Done<std::vector<std::string>> done) override {
    own_.sessions_ended_before(time, limit, std::move(label), std::move(done));
  }
  void create_session(store::NewSession asked, store::Done<store::MadeSession> done) override {
    own_.create_session(std::move(asked), std::move(done));
  }
  void patch_metadata(std::string id, store::MetadataPatch patch, std::size_t bytes_max,
                      store::Done<> done) override {
    own_.patch_metadata(std::move(id), std::move(patch), bytes_max, std::move(done));
  }
  void erase_session(std::string id, store::TokenClock clock, store::Done<bool> done,
                     std::function<void()> gone) override {
    own_.erase_session(std::move(id), clock, std::move(done), std::move(gone));
  }

 private:
  store::SessionStore& own_;
  store::SessionStore& all_;
};

}  // namespace verbatim::reading
