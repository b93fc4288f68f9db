// The memory for responses that are not read yet, and each owner's share of it.
#include "server/net/answer_memory.hpp"

#include <catch2/catch.hpp>
#include <deque>

using namespace verbatim;
using namespace verbatim::net;

namespace {

constexpr std::size_t answer_bytes = 1024 * 1024;
constexpr std::size_t answers_max = 32 * answer_bytes;

/// Unread responses of one owner, as many as fit.
std::size_t fill(AnswerMemory& memory, std::deque<AnswerMemory::Share>& shares,
                 const AnswerMemory::Owner& owner, std::size_t bytes = answer_bytes) {
  for (std::size_t fit = 0;; ++fit) {
    shares.emplace_back(memory, owner);
    if (!shares.back().resize(bytes)) return fit;
  }
}

AnswerMemory::Owner client(const std::string& user) { return {"user " + user, true}; }
AnswerMemory::Owner back_end(const std::string& session) { return {"session " + session, false}; }

}  // namespace

TEST_CASE("answers that one owner does not read take an eighth, and are given back",
          "[answers][P11]") {
  AnswerMemory memory(answers_max);
  for (const auto& owner : {client("ann"), back_end("s")}) {
    std::deque<AnswerMemory::Share> shares;
    CHECK(fill(memory, shares, owner) == 4);
    CHECK(memory.counts().held == answers_max / 8);
    CHECK(shares.back().resize(AnswerMemory::free_bytes));  // a short one always fits
    CHECK(memory.counts().held == answers_max / 8);
    shares.pop_front();
    CHECK(shares.back().resize(answer_bytes));
    shares.clear();
    CHECK(memory.counts().held == 0);
  }
  CHECK(memory.counts().refused == 2);
}

TEST_CASE("one owner's answers leave room for others, and clients' for back ends",
          "[answers][P11]") {
  AnswerMemory memory(answers_max);
  std::deque<AnswerMemory::Share> shares;
  for (const char* user : {"ann", "bob", "cyd", "dan"})
    CHECK(fill(memory, shares, client(user)) == 4);
  CHECK(fill(memory, shares, client("eve")) == 0);  // the clients' half is full
  for (const char* session : {"s1", "s2", "s3", "s4"})
    CHECK(fill(memory, shares, back_end(session)) == 4);
  CHECK(memory.counts().held == answers_max);
  CHECK(fill(memory, shares, back_end("s5")) == 0);
  shares.clear();
  CHECK(fill(memory, shares, client("eve")) == 4);
}

TEST_CASE("an owner without other answers gets memory for an answer of any size",
          "[answers][P11]") {
  AnswerMemory memory(answers_max);
  std::deque<AnswerMemory::Share> shares;
  CHECK(fill(memory, shares, client("ann"), answers_max / 4) == 1);
  CHECK(fill(memory, shares, client("bob"), answers_max / 4) == 1);
  CHECK(fill(memory, shares, client("cyd"), answers_max / 4) == 0);  // the clients' half is full
  CHECK(fill(memory, shares, back_end("s"), answers_max * 2) == 1);
  CHECK(fill(memory, shares, back_end("t")) == 0);
  CHECK(memory.counts().held == answers_max * 5 / 2);
  shares.clear();
  CHECK(fill(memory, shares, back_end("t"), answers_max) == 1);
  CHECK(fill(memory, shares, client("ann"), answers_max * 2) == 1);  // back ends do not count there
}

TEST_CASE("an answer with an estimated size finally takes its real size", "[answers]") {
  AnswerMemory memory(answers_max);
  AnswerMemory::Share one(memory, client("ann"));
  CHECK(one.resize(answer_bytes));
  CHECK(one.resize(8 * answer_bytes));  // it is alone, and its own share does not limit it
  CHECK(memory.counts().held == 8 * answer_bytes);
  AnswerMemory::Share other(memory, client("ann"));
  CHECK_FALSE(other.resize(answer_bytes));
  CHECK(one.resize(2 * answer_bytes));
  CHECK(other.resize(2 * answer_bytes));
  CHECK_FALSE(other.resize(3 * answer_bytes));
  CHECK(memory.counts().held == 4 * answer_bytes);  // the refused one keeps what it had
  CHECK(one.resize(0));
  CHECK(memory.counts().held == 2 * answer_bytes);
}

TEST_CASE("refused answers make one line in the log in ten seconds", "[answers]") {
  AnswerMemory memory(answers_max);
  const auto begin = std::chrono::steady_clock::time_point{} + std::chrono::hours(1);
  CHECK(memory.worth_a_line(begin));
  CHECK_FALSE(memory.worth_a_line(begin + std::chrono::milliseconds(9'999)));
  CHECK(memory.worth_a_line(begin + std::chrono::seconds(10)));
}

TEST_CASE("a changed limit of answers counts at once, and what is held stays",
          "[answers][reload]") {
  AnswerMemory memory(answers_max);
  std::deque<AnswerMemory::Share> shares;
  CHECK(fill(memory, shares, client("ann")) == 4);
  memory.set_limit(2 * answers_max);
  CHECK(fill(memory, shares, client("ann")) == 4);
  memory.set_limit(answers_max);
  CHECK(memory.counts().held == 8 * answer_bytes);
  CHECK(fill(memory, shares, client("ann")) == 0);
  CHECK(fill(memory, shares, client("bob")) == 4);
}
