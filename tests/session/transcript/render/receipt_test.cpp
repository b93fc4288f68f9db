// The receipt of a finished transcript: counts, gaps and hashes.
#include "session/transcript/render/receipt.hpp"
#include "base/json/tree.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/crypto.hpp"
#include "session/transcript/render/render.hpp"
#include "tests/session/transcript/merge/copies.hpp"

using namespace verbatim;
using namespace verbatim::session::test;
using namespace verbatim::transcript;

namespace {

std::string sha256_hex(std::string_view bytes) { return to_hex(sha256(bytes)); }

Turn turn(int ordinal, std::string words, TurnStatus status = TurnStatus::completed) {
  Turn made;
  made.ordinal = ordinal;
  made.item_id = "item_" + std::to_string(ordinal);
  made.role = ordinal % 2 ? Role::user : Role::assistant;
  made.status = status;
  made.text = text(std::move(words));
  return made;
}

FinalTranscript conversation() {
  FinalTranscript heard;
  heard.turns = {turn(1, "Grüße"), turn(2, "One two", TurnStatus::truncated),
                 turn(3, "", TurnStatus::failed), turn(4, "And th", TurnStatus::interrupted)};
  heard.turns[1].heard = Heard{300, text("One")};
  heard.turns[2].deleted = true;
  heard.gaps = {{"item_3", GapKind::failed_transcription, 0}};
  return heard;
}

}  // namespace

TEST_CASE("SHA-256 is that of the standard's examples, at every length around a block",
          "[receipt]") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex(std::string(1'000'000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  // The hash over the hashes of 0 to 130 times 'a', computed by another implementation.
  std::string all;
  for (std::size_t n = 0; n <= 130; ++n) all += sha256_hex(std::string(n, 'a'));
  CHECK(sha256_hex(all) == "5eee4c50e1b5ec4f1a47f34c25ca988850b49da7904f5ab1b3abc5cc0ae66ef9");
}

TEST_CASE("a receipt counts what there is and names what is missing", "[P13][receipt]") {
  const Receipt receipt = receipt_of("s1", 2, merge(conversation(), {}));
  CHECK(receipt.committed == 4);
  CHECK(receipt.with_text == 3);
  CHECK(receipt.interrupted == 1);
  CHECK(receipt.failed == 1);
  CHECK_FALSE(receipt.complete);
  REQUIRE(receipt.gaps.size() == 1);
  CHECK(receipt.gaps[0].item_id == "item_3");
}

TEST_CASE("the hashed bytes are as documented", "[P13][receipt]") {
  const auto merged = merge(conversation(), {});
  CHECK(canonical_form("s1", 2, merged.turns) ==
        "21:verbatim-transcript-1,2:s1,1:2,"
        "1:1,6:item_1,4:user,9:completed,7:Grüße,0:,0:,0:,"
        "1:2,6:item_2,9:assistant,9:truncated,7:One two,3:300,3:One,0:,"
        "1:3,6:item_3,4:user,6:failed,0:,0:,0:,4:true,"
        "1:4,6:item_4,9:assistant,11:interrupted,6:And th,0:,0:,0:,");
  CHECK(receipt_of("s1", 2, merged).sha256 == sha256_hex(canonical_form("s1", 2, merged.turns)));
}

TEST_CASE("a receipt covers the transcript that is read: of all copies, in any order",
          "[P3][P13][receipt]") {
  std::vector<Copy> copies = {
      {"agent", {copied(Role::user, "Grüße"), copied(Role::assistant, "One two")}},
      {"client", {copied(Role::assistant, "And then we stop"), copied(Role::user, "Good")}}};
  const auto alone = receipt_of("s1", 1, merge(conversation(), {}));
  const auto both = receipt_of("s1", 1, merge(conversation(), copies));
  CHECK(both.sha256 != alone.sha256);
  CHECK(both.committed == 5);
  std::reverse(copies.begin(), copies.end());
  copies.push_back(copies.front());
  CHECK(receipt_of("s1", 1, merge(conversation(), copies)) == both);
}

TEST_CASE("the receipt hashes ids and words as the JSON shows them", "[P11][P13][receipt]") {
  auto heard = conversation();
  heard.turns[0].item_id = "\xED\xA0\xBD";
  heard.turns[1].text = text("half \xED\xA0\xBD");
  const auto merged = merge(heard, {});
  const std::string form = canonical_form("s1", 1, merged.turns);
  for (const MergedTurn& one : merged.turns) {
    const auto shown = Json::parse(render_turn(one));
    for (const char* name : {"item_id", "text"}) {
      const auto value = shown[name].get<std::string>();
      CHECK(form.find("," + std::to_string(value.size()) + ":" + value + ",") != std::string::npos);
    }
  }
}

TEST_CASE("only a final attempt has a receipt", "[P13][receipt]") {
  TranscriptView view;
  view.show(merge(conversation(), {}));
  CHECK_FALSE(view.receipt);
  view.status = SessionStatus::final;
  view.show(merge(conversation(), {}));
  CHECK(view.receipt);
}

TEST_CASE("all attempts are one text in every format, each marked", "[render]") {
  std::vector<TranscriptView> views(2);
  for (int i = 0; i < 2; ++i) {
    auto& view = views[static_cast<std::size_t>(i)];
    view.session_id = "s1";
    view.attempt = i + 1;
    view.started_at = 1000 + i * 60'000;
    view.status = SessionStatus::final;
    auto heard = conversation();
    for (auto& one : heard.turns) one.started_at = *view.started_at + one.ordinal * 1000;
    view.show(merge(heard, {}));
  }
  const auto all = [&](Format format) { return render("s1", views, format); };
  const auto json = Json::parse(all(Format::json));
  CHECK(json["session_id"] == "s1");
  CHECK(json["attempts"][1] == Json::parse(render(views[1], Format::json)));

  const auto lines = all(Format::jsonl);
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 8);
  auto last = Json::parse(lines.substr(lines.rfind('\n', lines.size() - 2)));
  CHECK(last["attempt"] == 2);
  last.erase("attempt");
  CHECK(last == json["attempts"][1]["turns"][3]);

  CHECK(all(Format::text) == "Attempt 1\n" + render(views[0], Format::text) + "\nAttempt 2\n" +
                                 render(views[1], Format::text));
  const auto page = all(Format::markdown);
  CHECK(page.starts_with("# Transcript s1\n\n## Attempt 1\n"));
  CHECK(page.find("\n## Attempt 2\n\n**User:** Grüße\n") != std::string::npos);
  CHECK(page.find("# Transcript", 1) == std::string::npos);

  const auto vtt = all(Format::vtt);
  CHECK(vtt.starts_with(
      "WEBVTT\n\nNOTE Attempt 1\n\n00:00:01.000 --> 00:00:02.000\n<v User>Grüße\n"));
  CHECK(vtt.find("\nNOTE Attempt 2\n\n00:01:01.000 --> ") != std::string::npos);
  CHECK(vtt.find("WEBVTT", 1) == std::string::npos);
  const auto srt = all(Format::srt);
  CHECK(srt.find("\n\n4\n00:01:01,000 --> 00:01:02,000\nUser: Grüße\n") != std::string::npos);

  for (const auto format :
       {Format::json, Format::jsonl, Format::text, Format::markdown, Format::vtt, Format::srt})
    render("s1", std::vector<TranscriptView>(), format);
}
