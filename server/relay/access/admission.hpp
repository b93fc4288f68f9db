// Numeric limits on who may begin a conversation: connects of an address in a minute, concurrent
// sessions of a user, and a user's consumption on the current day. All of them are checked before
// the upgrade.
//
// Any thread. The mutex is held when a session begins and when it ends; a running session adds its
// usage without it. A refusal is the response to send.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <utility>

#include "base/rate_limit.hpp"
#include "base/reloadable.hpp"
#include "config/settings.hpp"
#include "server/net/async.hpp"
#include "server/net/http_message.hpp"
#include "session/budget.hpp"
#include "storage/store/admission_store.hpp"

namespace verbatim::access {

/// Usage of the sessions that a user began on one day (UTC). A conversation counts for the day on
/// which it began, however long it lasts, so that stored and running usage add up exactly.
class UserAccount final : public session::SharedUsage {
 public:
  transcript::Usage add(std::int64_t audio_ms, std::int64_t tokens) override;
  transcript::Usage used() const;
  bool opened() const { return opened_.load(); }
  /// Adds the usage that the store has; only the first call counts.
  void open(const transcript::Usage& stored);

 private:
  std::atomic<std::int64_t> audio_ms_{0};
  std::atomic<std::int64_t> tokens_{0};
  std::atomic<bool> opened_{false};
};

/// The limits that are checked before an upgrade.
enum class AdmissionLimit : std::uint8_t {
  sessions = 0,
  sessions_per_user = 1,
  connects_per_minute = 2,
  user_audio_seconds = 3,
  user_tokens = 4,
  descriptors = 5,
  journal_bytes = 6
};
inline constexpr std::size_t admission_limit_count = 7;

/// A refusal, and the limit that caused it, if it was one of these.
struct NotAdmitted {
  net::HttpResponse response;
  std::optional<AdmissionLimit> limit = std::nullopt;
};

/// The result of a step of an upgrade.
template <class T>
using AdmissionResult = tl::expected<T, NotAdmitted>;

/// `return not_admitted(openai_error(...));` refuses.
tl::unexpected<NotAdmitted> not_admitted(net::HttpResponse response,
                                         std::optional<AdmissionLimit> limit = std::nullopt);

/// The user whose session begins.
struct UserSessions {
  std::string user;
  /// A client token names the user. A back end with its own key may act for many people, so its
  /// sessions are not counted.
  bool by_token = false;
  std::size_t waiting = 0;  ///< other sessions of the user that wait for their clients to return
};

class AdmissionControl {
 public:
  explicit AdmissionControl(const config::Limits& limits)
      : limits_(std::make_shared<const config::Limits>(limits)),
        connects_(limits.connects_per_minute) {}

  /// New limits for the next requests and sessions.
  void reload(const config::Limits& limits) {
    limits_.set(std::make_shared<const config::Limits>(limits));
    connects_.set_limit(limits.connects_per_minute);
  }

  /// The refusal for an address that connects too often; empty if it may connect.
  std::optional<NotAdmitted> refuse_address(const std::string& address);

  /// Permission for one session of a user, returned when it is destroyed. Movable; `account` stays
  /// where it is.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : keeper_(std::exchange(other.keeper_, nullptr)),
          user_(std::move(other.user_)),
          counted_(other.counted_),
          account(std::move(other.account)) {}
    Permit(const Permit&) = delete;
    Permit& operator=(const Permit&) = delete;
    Permit& operator=(Permit&&) = delete;
    ~Permit();

   private:
    friend class AdmissionControl;
    Permit(AdmissionControl* keeper, std::string user, bool counted)
        : keeper_(keeper), user_(std::move(user)), counted_(counted) {}
    AdmissionControl* keeper_;
    std::string user_;
    bool counted_;  ///< it counts as one of the user's sessions

   public:
    std::shared_ptr<UserAccount> account;  ///< null: no user budgets are configured
  };

  /// Returns a permit, or a refusal: 429 with Retry-After, or 503 if the store cannot be read.
  /// `of`: the user of the session that begins.
  /// `now`: wall clock in milliseconds.
  /// `store`: has the user's stored usage.
  /// `executor`: where the coroutine resumes.
  net::Awaitable<AdmissionResult<Permit>> admit(const UserSessions& of, TimeMs now,
                                                store::AdmissionStore& store,
                                                const net::Executor& executor);

 private:
  void leave(const std::string& user, bool counted);
  std::shared_ptr<UserAccount> account_of(const std::string& user, std::int64_t day);

  Reloadable<const config::Limits> limits_;
  RateLimit connects_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t>
      sessions_;  ///< current sessions of each user named by a token
  std::map<std::pair<std::string, std::int64_t>, std::weak_ptr<UserAccount>> accounts_;
};

}  // namespace verbatim::access
