// The keys of encrypted recordings.
#include "server/recording/keys.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <string>

#include "base/aead.hpp"
#include "base/crypto.hpp"
#include "tests/server/recording/support.hpp"

namespace verbatim::recording {

using test::key_a;
using test::key_b;
using test::masters;
namespace fs = std::filesystem;

TEST_CASE("a session has one key, which its master key opens again", "[recording][P10]") {
  const test::TempDir dir;
  fs::create_directory(dir / "s1");
  const auto made = make_session_key(dir.path(), "s1", masters(key_a));
  REQUIRE(made);
  CHECK(made->bytes.size() == aead::key_bytes);
  const auto again = make_session_key(dir.path(), "s1", masters(key_a));
  REQUIRE(again);
  CHECK(again->bytes == made->bytes);
  const auto read = read_session_key(dir.path(), "s1", masters(key_a));
  REQUIRE(read);
  CHECK(read->bytes == made->bytes);
  CHECK(read->id == made->id);
  struct stat status {};
  REQUIRE(::stat(key_file_of(dir.path(), "s1").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  CHECK(test::content_of(key_file_of(dir.path(), "s1")).find(to_hex(made->bytes)) ==
        std::string::npos);
  fs::create_directory(dir / "s2");
  CHECK(make_session_key(dir.path(), "s2", masters(key_a))->bytes != made->bytes);
}

TEST_CASE("an older master key still reads, and the first one wraps new keys", "[recording]") {
  const test::TempDir dir;
  fs::create_directory(dir / "s1");
  fs::create_directory(dir / "s2");
  const auto old = make_session_key(dir.path(), "s1", masters(key_a));
  const auto both = masters(key_b + "\r\n" + key_a + "\n");
  REQUIRE(make_session_key(dir.path(), "s2", both));
  CHECK(read_session_key(dir.path(), "s1", both)->bytes == old->bytes);
  CHECK(read_session_key(dir.path(), "s2", masters(key_b)));
  const auto refused = read_session_key(dir.path(), "s1", masters(key_b));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == TroubleKind::key_missing);
  const std::string id = to_hex(key_id(std::string(aead::key_bytes, '\xaa')));
  CHECK(refused.error().why.find(id) != std::string::npos);
  CHECK(master_key_needed(dir.path(), "s1") == id);
  CHECK(read_session_key(dir.path(), "s1", {}).error().kind == TroubleKind::key_missing);
}

TEST_CASE("a key in another session's folder, or a changed one, is refused", "[recording][P10]") {
  const test::TempDir dir;
  fs::create_directory(dir / "s1");
  fs::create_directory(dir / "s2");
  REQUIRE(make_session_key(dir.path(), "s1", masters(key_a)));
  fs::copy_file(key_file_of(dir.path(), "s1"), key_file_of(dir.path(), "s2"));
  CHECK(read_session_key(dir.path(), "s2", masters(key_a)).error().kind == TroubleKind::damaged);
  const std::string good = test::content_of(key_file_of(dir.path(), "s1"));
  for (const std::size_t at : {std::size_t{0}, std::size_t{24}, good.size() / 2, good.size() - 3}) {
    std::string bad = good;
    bad[at] = bad[at] == 'A' ? 'B' : 'A';
    test::write(key_file_of(dir.path(), "s1"), bad);
    CAPTURE(at, bad);
    CHECK_FALSE(read_session_key(dir.path(), "s1", masters(key_a)));
    CHECK_FALSE(make_session_key(dir.path(), "s1", masters(key_a)));
  }
  for (const std::string& bad :
       {std::string(), std::string("x"), good.substr(0, good.size() - 1)}) {
    test::write(key_file_of(dir.path(), "s1"), bad);
    CHECK(read_session_key(dir.path(), "s1", masters(key_a)).error().kind == TroubleKind::damaged);
  }
}

TEST_CASE("no new key is made while encrypted audio needs the one that is gone", "[recording]") {
  test::RecordedFolder at;
  test::write(at.file(Form::sealed), "encrypted");
  const auto refused = make_session_key(at.dir.path(), "s1", masters(key_a));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == TroubleKind::damaged);
  CHECK_FALSE(fs::exists(key_file_of(at.dir.path(), "s1")));
}

TEST_CASE("a line without a key is left out", "[recording]") {
  CHECK(masters("").empty());
  CHECK(masters("word\n" + std::string(64, 'x')).empty());
  CHECK(masters("word\n" + key_b).current() == std::string(aead::key_bytes, '\xbb'));
}

}  // namespace verbatim::recording
