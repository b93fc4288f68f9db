// Measures the merge of a copy of 500 turns into 500 turns, for each way of matching them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "session/transcript/merge/merge.hpp"

using namespace verbatim;
using namespace verbatim::transcript;

namespace {

constexpr int turns = 500;

Text words(int i) {
  return Text::from_wtf8("This is what somebody said in line " + std::to_string(i) +
                         ", with as many words as people use in one breath on average.");
}

FinalTranscript relay() {
  FinalTranscript heard;
  for (int i = 0; i < turns; ++i) {
    Turn turn;
    turn.ordinal = i + 1;
    turn.item_id = "item_" + std::to_string(i);
    turn.role = i % 2 ? Role::assistant : Role::user;
    turn.status = TurnStatus::completed;
    turn.text = words(i);
    heard.turns.push_back(turn);
  }
  return heard;
}

Copy copy(bool ids, bool numbers) {
  Copy made{"agent", {}};
  for (int i = 0; i < turns; ++i) {
    CopyTurn turn;
    turn.role = i % 2 ? Role::assistant : Role::user;
    turn.text = words(i);
    if (ids) turn.item_id = "item_" + std::to_string(i);
    if (numbers) turn.ordinal = i;
    made.turns.push_back(turn);
  }
  return made;
}

/// Each writer heard one turn in twenty differently from all others.
std::vector<Copy> many(bool numbers) {
  std::vector<Copy> copies;
  for (int writer = 0; writer < 101; ++writer) {
    Copy one = copy(false, numbers);
    one.writer = "writer_" + std::to_string(writer);
    for (std::size_t i = static_cast<std::size_t>(writer) % 20; i < one.turns.size(); i += 20)
      one.turns[i].text = Text::from_wtf8(one.turns[i].text.utf8() + " As heard by " + one.writer);
    copies.push_back(std::move(one));
  }
  return copies;
}

void measure(const char* what, const FinalTranscript& heard, const std::vector<Copy>& copies,
             int rounds = 201) {
  std::vector<double> times;
  std::size_t merged = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    merged = merge(heard, copies).turns.size();
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    times.push_back(taken.count());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-28s %4zu turns   median %6.3f ms   p99 %6.3f ms\n", what, merged,
              times[static_cast<std::size_t>(rounds) / 2],
              times[static_cast<std::size_t>(rounds - 1 - rounds / 100)]);
}

}  // namespace

int main() {
  const FinalTranscript heard = relay();
  measure("by item id", heard, {copy(true, false)});
  measure("by number", heard, {copy(false, true)});
  measure("by words", heard, {copy(false, false)});
  Copy strange = copy(false, false);
  for (std::size_t i = 0; i < strange.turns.size(); i += 2)
    strange.turns[i].text = Text::from_wtf8("yes");
  measure("by words, half of them yes", heard, {strange});
  measure("101 copies, by number", {}, many(true), 21);
  measure("101 copies, by words", {}, many(false), 21);
}
