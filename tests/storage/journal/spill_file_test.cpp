// The spill file of a conversation: records, its place, and damage.
#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include "storage/journal/spill_file.hpp"
#include "tests/support/temp_dir.hpp"

using namespace verbatim;
using namespace verbatim::journal;
using verbatim::test::TempDir;
using verbatim::transcript::SpillError;

namespace {

/// Finds the unlinked file through /proc, the only path to it.
std::filesystem::path nameless(const TempDir& folder) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const auto target = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (target.starts_with(folder.path().string() + "/") && target.ends_with("(deleted)"))
      return entry.path();
  }
  return {};
}

}  // namespace

TEST_CASE("a spill returns short and long records as they were put", "[P12][spill]") {
  const TempDir folder;
  SpillFile spill(folder.path());
  const std::string texts[] = {"", "one", std::string(100'000, 'x'), std::string("\0\n", 2)};
  std::vector<SpillFile::Offset> places;
  for (const std::string& text : texts) places.push_back(spill.put(text).value());
  for (std::size_t i = places.size(); i-- > 0;) CHECK(spill.get(places[i]) == texts[i]);
}

TEST_CASE("a spill file has no name and belongs to one conversation", "[P10][spill]") {
  const TempDir folder;
  {
    SpillFile spill(folder.path());
    REQUIRE(nameless(folder).empty());  // the first put() makes the file
    REQUIRE(spill.put("words"));
    REQUIRE_FALSE(nameless(folder).empty());
    CHECK(std::filesystem::is_empty(folder.path()));
    const auto mode = std::filesystem::status(nameless(folder)).permissions();
    CHECK(mode == (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  }
  CHECK(nameless(folder).empty());
}

TEST_CASE("a spill without a folder takes nothing until it has one", "[P11][spill]") {
  const TempDir folder;
  SpillFile spill(folder / "later");
  CHECK_FALSE(spill.put("words"));
  std::filesystem::create_directory(folder / "later");
  const auto place = spill.put("words");
  REQUIRE(place);
  CHECK(spill.get(*place) == "words");
}

TEST_CASE("a spill whose bytes were changed or lost throws", "[P11][spill]") {
  const TempDir folder;
  SpillFile spill(folder.path());
  const auto first = spill.put("the first words");
  const auto second = spill.put("the second words");
  REQUIRE((first && second));
  const int file = ::open(nameless(folder).c_str(), O_RDWR);
  REQUIRE(file >= 0);
  REQUIRE(::pwrite(file, "X", 1, static_cast<off_t>(*first + 10)) == 1);
  CHECK_THROWS_AS(spill.get(*first), SpillError);
  CHECK(spill.get(*second) == "the second words");
  REQUIRE(::ftruncate(file, static_cast<off_t>(*second + 12)) == 0);
  ::close(file);
  CHECK_THROWS_AS(spill.get(*second), SpillError);
}
