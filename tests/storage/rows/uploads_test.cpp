// Objects of recorded audio in a bucket: their rows, from before the first byte to the removal.
#include "storage/rows/uploads.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "storage/rows/transcript_store.hpp"
#include "storage/sqlite/database.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::test;
using store::Upload;
using store::UploadState;

namespace {

/// A store with the sessions s1 and s2.
struct Store {
  TempDir dir;
  sqlite::Database database{dir / "v.db", {.access = sqlite::Access::create}};

  Store() {
    for (const char* id : {"s1", "s2"})
      database.run("INSERT INTO session (public_id, user, metadata, created_at) VALUES ('" +
                   std::string(id) + "', 'u', '{}', 1)");
  }
  std::int64_t begin(const std::string& session, int attempt, const std::string& key) {
    Upload one;
    one.session_id = session;
    one.attempt = attempt;
    one.file = std::to_string(attempt) + ".user.flac";
    one.place = "https://s3/b";
    one.key = key;
    one.bytes = 5;
    one.sha256 = "ab";
    one.changed_at = 10;
    return rows::begin_upload(database, one);
  }
  std::vector<std::string> in(UploadState state) {
    std::vector<std::string> keys;
    for (const Upload& one : rows::uploads_in(database, state, 100)) keys.push_back(one.key);
    return keys;
  }
};

using Keys = std::vector<std::string>;

}  // namespace

TEST_CASE("an object has a row from before its first byte until it was removed", "[P10][storage]") {
  Store it;
  const auto id = it.begin("s1", 2, "k1");
  const auto uploads = rows::uploads_of(it.database, "s1");
  REQUIRE(uploads.size() == 1);
  const Upload& one = uploads.front();
  CHECK((one.id == id && one.attempt == 2 && one.file == "2.user.flac" && one.bytes == 5));
  CHECK((one.place == "https://s3/b" && one.key == "k1" && one.sha256 == "ab"));
  CHECK(one.state == UploadState::begun);
  CHECK(rows::finish_upload(it.database, id, 20));
  CHECK_FALSE(rows::finish_upload(it.database, id, 21));
  CHECK(it.in(UploadState::stored) == Keys{"k1"});
  rows::forget_upload(it.database, id);
  CHECK(rows::count_uploads(it.database) == 1);  // only what is leaving is forgotten
  rows::release_upload(it.database, id, 30);
  rows::forget_upload(it.database, id);
  CHECK(rows::count_uploads(it.database) == 0);
}

TEST_CASE("an upload that is given up cannot become a stored one", "[P10][storage]") {
  Store it;
  const auto id = it.begin("s1", 1, "k1");
  CHECK(rows::release_uploads(it.database, "s1", 1, 20) == 1);
  CHECK_FALSE(rows::finish_upload(it.database, id, 30));
  CHECK(it.in(UploadState::leaving) == Keys{"k1"});
}

TEST_CASE("the objects of one attempt leave alone, and all that leave are counted",
          "[P10][storage]") {
  Store it;
  it.begin("s1", 1, "k1");
  it.begin("s1", 2, "k2");
  it.begin("s2", 1, "k3");
  CHECK(rows::release_uploads(it.database, "s1", 2, 20) == 1);
  CHECK(it.in(UploadState::leaving) == Keys{"k2"});
  CHECK(rows::release_uploads(it.database, "s1", std::nullopt, 30) == 2);
  CHECK(it.in(UploadState::leaving) == Keys{"k2", "k1"});
  CHECK(it.in(UploadState::begun) == Keys{"k3"});
}

TEST_CASE("an erased session keeps the rows of its objects until these are removed",
          "[P10][storage]") {
  Store it;
  const auto id = it.begin("s1", 1, "k1");
  rows::finish_upload(it.database, id, 20);
  it.begin("s2", 1, "k2");
  CHECK(rows::erase_session(it.database, "s1"));
  CHECK(it.in(UploadState::leaving) == Keys{"k1"});
  CHECK(it.in(UploadState::begun) == Keys{"k2"});
  CHECK_THROWS_AS(it.begin("s1", 1, "k4"), store::StorageError);
  CHECK(rows::count_uploads(it.database) == 2);
}

TEST_CASE("sessions are found by the age of their objects", "[P10][storage]") {
  Store it;
  rows::finish_upload(it.database, it.begin("s1", 1, "k1"), 100);
  rows::finish_upload(it.database, it.begin("s2", 1, "k2"), 200);
  CHECK(rows::sessions_uploaded_before(it.database, 150) == Keys{"s1"});
  CHECK(rows::sessions_uploaded_before(it.database, 100).empty());
}
