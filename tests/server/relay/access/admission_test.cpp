// A user's remaining budget of the day, from a store that answers when the test says so.
#include "server/relay/access/admission.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <catch2/catch.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

using namespace verbatim;
using namespace verbatim::access;
using namespace verbatim::net;

namespace {

constexpr TimeMs noon = 12LL * 60 * 60 * 1000;

/// Has usage only; keeps each question until it is answered.
class UsageStore final : public store::AdmissionStore {
 public:
  void read_usage(std::string, TimeMs from, TimeMs to,
                  store::Done<transcript::Usage> done) override {
    asked_for = {from, to};
    waiting.push_back(std::move(done));
  }
  void answer(const store::StoreResult<transcript::Usage>& usage) {
    for (const auto& done : std::exchange(waiting, {})) done(usage);
  }

  void judge_token(store::TokenUse, store::TokenClock, store::Done<store::TokenStanding>) override {
    not_asked();
  }
  void note_token_use(std::string, std::string, store::Done<>) override { not_asked(); }
  void open_attempt(store::AttemptSpec, store::Done<store::OpenedAttempt>) override { not_asked(); }
  std::unique_ptr<transcript::Spill> new_spill() override { not_asked(); }

  std::pair<TimeMs, TimeMs> asked_for;
  std::vector<store::Done<transcript::Usage>> waiting;

 private:
  [[noreturn]] static void not_asked() {
    throw std::logic_error("admission does not ask for this");
  }
};

transcript::Usage tokens(std::int64_t count) {
  transcript::Usage usage;
  usage.total_tokens = count;
  return usage;
}

using Permit = AdmissionControl::Permit;
using Admitted = AdmissionResult<Permit>;

/// One admission control, with a limit of 100 tokens a day.
struct Door {
  static config::Limits limits() {
    config::Limits limits = config::Settings().limits;
    limits.user_tokens = 100;
    return limits;
  }

  ~Door() { answer(tokens(0)); }  // nothing waits for what is gone

  void admit(const std::string& user) {
    const auto once = [this, user]() -> Awaitable<void> {
      const access::UserSessions of{user, true, waiting};
      came.push_back(co_await control.admit(of, noon, store, context.get_executor()));
    };
    asio::co_spawn(context, once, asio::detached);
    run();
  }
  void answer(const store::StoreResult<transcript::Usage>& usage) {
    store.answer(usage);
    run();
  }
  void run() {
    context.restart();
    context.poll();
  }

  asio::io_context context{1};
  UsageStore store;
  AdmissionControl control{limits()};
  std::size_t waiting = 0;  ///< other sessions of the user
  std::vector<Admitted> came;
};

}  // namespace

TEST_CASE("a user is admitted until the day's allowance is used", "[P11][admission]") {
  Door door;
  door.admit("ann");
  CHECK(door.came.empty());
  CHECK(door.store.asked_for == std::pair<TimeMs, TimeMs>(0, 2 * noon));
  door.answer(tokens(99));
  REQUIRE(door.came.size() == 1);
  CHECK(door.came[0].has_value());

  door.admit("bob");
  door.answer(tokens(100));
  REQUIRE(door.came.size() == 2);
  REQUIRE_FALSE(door.came[1]);
  const NotAdmitted& refused = door.came[1].error();
  CHECK(refused.response.status == 429);
  CHECK(refused.limit == AdmissionLimit::user_tokens);
}

TEST_CASE("a user whose usage cannot be read is not admitted, and is asked about again",
          "[P11][admission]") {
  Door door;
  door.admit("ann");
  door.answer(tl::unexpected(store::StorageError(store::Failure::io_error, "no disk")));
  REQUIRE(door.came.size() == 1);
  REQUIRE_FALSE(door.came[0]);
  CHECK(door.came[0].error().response.status == 503);
  door.admit("ann");
  CHECK(door.store.waiting.size() == 1);
}

TEST_CASE("stored usage counts once, however many sessions ask for it together",
          "[P11][admission]") {
  Door door;
  door.admit("ann");
  door.admit("ann");
  door.answer(tokens(60));
  REQUIRE(door.came.size() == 2);
  REQUIRE(door.came[1]);
  const Permit& permit = *door.came[1];
  CHECK(permit.account->used().total_tokens == 60);
  CHECK(permit.account == door.came[0].value().account);
}

TEST_CASE("while a session of a user runs, the store is not asked again", "[admission]") {
  Door door;
  door.admit("ann");
  door.answer(tokens(1));
  door.admit("ann");
  CHECK(door.came.size() == 2);
  CHECK(door.store.waiting.empty());
  door.came.clear();
  door.admit("ann");
  CHECK(door.store.waiting.size() == 1);
}

TEST_CASE("new limits hold for the next sessions and requests", "[P11][admission][reload]") {
  Door door;
  config::Limits limits = Door::limits();
  limits.user_tokens = 0;
  limits.sessions_per_user = 1;
  limits.connects_per_minute = 1;
  CHECK_FALSE(door.control.refuse_address("192.0.2.1"));
  CHECK_FALSE(door.control.refuse_address("192.0.2.1"));
  door.control.reload(limits);
  CHECK_FALSE(door.control.refuse_address("192.0.2.1"));
  CHECK(door.control.refuse_address("192.0.2.1"));
  door.admit("ann");  // the store is not asked: no budget of a user is set any more
  door.admit("ann");
  REQUIRE(door.came.size() == 2);
  CHECK(door.came[0].has_value());
  REQUIRE_FALSE(door.came[1]);
  CHECK(door.came[1].error().limit == AdmissionLimit::sessions_per_user);
}

TEST_CASE("conversations that wait for their clients count as the user's",
          "[P11][P14][admission]") {
  Door door;
  config::Limits limits = config::Settings().limits;
  limits.sessions_per_user = 2;
  limits.user_tokens = 0;
  door.control.reload(limits);
  door.waiting = 2;
  door.admit("ann");
  REQUIRE(door.came.size() == 1);
  REQUIRE_FALSE(door.came[0]);
  CHECK(door.came[0].error().limit == access::AdmissionLimit::sessions_per_user);
  door.waiting = 1;  // one of them comes back itself
  door.admit("ann");
  REQUIRE(door.came.size() == 2);
  CHECK(door.came[1]);
}
