// Recorded audio in a bucket (server/bucket): a row for each object, from the moment before its
// first byte is sent until the object is removed. No object exists without a row, so an erasure
// finds all of them after any end of the process.
//
// Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "storage/store/call.hpp"

namespace verbatim::store {

/// The numbers are stored; never renumber.
enum class UploadState : std::uint8_t {
  begun = 0,    ///< the object may be there, or a part of it
  stored = 1,   ///< it is there and was checked
  leaving = 2,  ///< it has to be removed
};

struct Upload {
  std::int64_t id = 0;
  std::string session_id;
  int attempt = 0;
  std::string file;   ///< its name in the session's folder
  std::string place;  ///< the service and the bucket
  std::string key;    ///< of the object; never used again
  UploadState state = UploadState::begun;
  std::int64_t bytes = 0;
  std::string sha256;  ///< of the file, in hexadecimal
  TimeMs changed_at = 0;
};

class UploadStore {
 public:
  using Uploads = std::vector<Upload>;
  virtual ~UploadStore() = default;

  /// Returns the id. not_found: there is no such session any more, and nothing may be sent.
  virtual void begin_upload(Upload upload, Done<std::int64_t> done) = 0;
  /// From begun to stored. False: the object has to be removed meanwhile.
  virtual void finish_upload(std::int64_t id, TimeMs now, Done<bool> done) = 0;
  /// The objects of a session, or of one attempt of it, have to be removed. Returns how many of the
  /// session's are not removed yet, earlier ones included.
  virtual void release_uploads(std::string session_id, std::optional<int> attempt, TimeMs now,
                               Done<std::int64_t> done) = 0;
  virtual void release_upload(std::int64_t id, TimeMs now, Done<> done) = 0;
  /// The object was removed.
  virtual void forget_upload(std::int64_t id, Done<> done) = 0;

  virtual void uploads_of(std::string session_id, ReadLabel label, Done<Uploads> done) = 0;
  /// Those that changed first.
  virtual void uploads_in(UploadState state, std::size_t limit, ReadLabel label,
                          Done<Uploads> done) = 0;
  /// Sessions with an object that was stored before, by their ids.
  virtual void sessions_uploaded_before(TimeMs time, ReadLabel label,
                                        Done<std::vector<std::string>> done) = 0;
  virtual void count_uploads(ReadLabel label, Done<std::int64_t> done) = 0;
};

}  // namespace verbatim::store
