// Encrypted files: what is written comes back, and nothing else does.
#include "server/recording/sealed_file.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/aead.hpp"
#include "tests/server/recording/support.hpp"

namespace verbatim::recording {

using test::content_of;
using test::mixed_bytes;

namespace {

const SessionKey file_key{std::string(aead::key_bytes, 'k'),
                          key_id(std::string(aead::key_bytes, 'k'))};
constexpr std::size_t stored_block = sealed_block_bytes + aead::tag_bytes;

void seal_into(const std::filesystem::path& path, const std::string& bytes,
               const std::string& place = "1.user") {
  DiskFile file = DiskFile::create(path);
  REQUIRE(file);
  SealedWriter out(file, file_key, Content::flac, place);
  // In pieces of an odd size.
  for (std::size_t at = 0; at < bytes.size(); at += 10'007)
    REQUIRE(out.append(std::string_view(bytes).substr(at, 10'007)));
  REQUIRE(out.finish());
}

auto open_sealed(const std::filesystem::path& path, const SessionKey& with = file_key,
                 const std::string& place = "1.user") {
  return SealedReader::open(DiskFile::open(path), path.filename().string(), with, place);
}

/// The bytes of the whole file; nullopt: it is refused.
std::optional<std::string> all_of(const std::filesystem::path& path,
                                  const SessionKey& with = file_key,
                                  const std::string& place = "1.user") {
  const auto reader = open_sealed(path, with, place);
  if (!reader) return std::nullopt;
  std::string bytes(static_cast<std::size_t>((*reader)->size()), '\0');
  if ((*reader)->read(0, bytes.data(), bytes.size()) < 0) return std::nullopt;
  return bytes;
}

}  // namespace

TEST_CASE("an encrypted file gives back its bytes, from any place", "[recording][P15]") {
  const test::TempDir dir;
  const std::size_t size = GENERATE(0U, 1U, 65'535U, 65'536U, 65'537U, 131'072U, 200'000U);
  const std::string bytes = mixed_bytes(size);
  seal_into(dir / "sealed", bytes);
  CHECK((all_of(dir / "sealed") == bytes));
  const auto reader = open_sealed(dir / "sealed");
  REQUIRE(reader);
  CHECK((*reader)->content() == Content::flac);
  CHECK((*reader)->size() == size);
  for (const std::size_t from : {size / 3, size / 2, std::size_t{0}, size}) {
    std::string part(70'000, '\0');
    const auto got = (*reader)->read(from, part.data(), part.size());
    REQUIRE(got >= 0);
    part.resize(static_cast<std::size_t>(got));
    CHECK((part == bytes.substr(from, 70'000)));
  }
}

TEST_CASE("an encrypted file shows nothing of its bytes, and no two are equal",
          "[recording][P10]") {
  const test::TempDir dir;
  const std::string word = "these words are not in the file";
  seal_into(dir / "one", word + word);
  seal_into(dir / "other", word + word);
  CHECK(content_of(dir / "one").find("words") == std::string::npos);
  CHECK(content_of(dir / "one").substr(sealed_head_bytes) !=
        content_of(dir / "other").substr(sealed_head_bytes));
}

TEST_CASE("one changed bit in any part of an encrypted file is noticed", "[recording][P6][P10]") {
  const test::TempDir dir;
  seal_into(dir / "sealed", mixed_bytes(150'000));
  const std::string good = content_of(dir / "sealed");
  std::vector<std::size_t> places;
  for (std::size_t at = 0; at < sealed_head_bytes; ++at) places.push_back(at);
  for (std::size_t at = sealed_head_bytes; at < good.size(); at += 9973) places.push_back(at);
  for (const std::size_t at :
       {sealed_head_bytes + sealed_block_bytes, sealed_head_bytes + stored_block, good.size() - 1})
    places.push_back(at);
  for (const std::size_t at : places) {
    // Two bytes of the head have no use yet, but are bound to the key as well.
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    test::write(dir / "bad", bad);
    CAPTURE(at);
    CHECK_FALSE(all_of(dir / "bad"));
  }
}

TEST_CASE("a cut, a longer and a mixed-up encrypted file is noticed", "[recording][P6][P10]") {
  const test::TempDir dir;
  seal_into(dir / "sealed", mixed_bytes(3 * sealed_block_bytes));
  const std::string good = content_of(dir / "sealed");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, sealed_head_bytes, sealed_head_bytes + 15,
        sealed_head_bytes + stored_block, sealed_head_bytes + 2 * stored_block,
        sealed_head_bytes + 2 * stored_block + 5, good.size() - 1}) {
    test::write(dir / "bad", good.substr(0, size));
    CAPTURE(size);
    CHECK_FALSE(all_of(dir / "bad"));
  }
  test::write(dir / "bad", good + "x");
  CHECK_FALSE(all_of(dir / "bad"));
  test::write(dir / "bad", good + good.substr(good.size() - stored_block));
  CHECK_FALSE(all_of(dir / "bad"));
  std::string swapped = good;
  for (std::size_t i = 0; i < stored_block; ++i)
    std::swap(swapped[sealed_head_bytes + i], swapped[sealed_head_bytes + stored_block + i]);
  test::write(dir / "bad", swapped);
  CHECK_FALSE(all_of(dir / "bad"));
}

TEST_CASE("an encrypted file opens with its own key, for its own track", "[recording][P10]") {
  const test::TempDir dir;
  seal_into(dir / "sealed", "abc");
  const std::string other(aead::key_bytes, 'o');
  const auto refused = open_sealed(dir / "sealed", {other, key_id(other)});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().why.find("another key") != std::string::npos);
  CHECK_FALSE(all_of(dir / "sealed", {other, file_key.id}));
  CHECK_FALSE(all_of(dir / "sealed", file_key, "1.assistant"));
  CHECK(all_of(dir / "sealed") == "abc");
}

TEST_CASE("a file of a newer version says so", "[recording]") {
  const test::TempDir dir;
  seal_into(dir / "sealed", "abc");
  std::string newer = content_of(dir / "sealed");
  newer[8] = 2;
  test::write(dir / "newer", newer);
  const auto refused = open_sealed(dir / "newer");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().why == "newer was written by a newer version of this program");
}

}  // namespace verbatim::recording
