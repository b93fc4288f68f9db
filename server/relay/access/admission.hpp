// Who may begin a conversation now, as far as numbers go: connects of an address in a minute,
// sessions of a user at once, and what a user's sessions of this day have used up. All of it is
// decided before the upgrade.
//
// Any thread. The mutex is held when a session begins and when it ends; what a running one uses is
// added without it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <variant>

#include "base/rate_limit.hpp"
#include "config/settings.hpp"
#include "server/net/http_message.hpp"
#include "server/store/store_reader.hpp"
#include "session/budget.hpp"

namespace verbatim::server {

/// What the sessions have used that a user began on one day (UTC). A conversation belongs to the
/// day on which it began, however long it lasts: so what is stored and what runs add up exactly.
class UserAccount final : public session::SharedUsage {
 public:
  session::Usage add(std::int64_t audio_ms, std::int64_t tokens) override;
  session::Usage used() const;
  bool opened() const { return opened_.load(); }
  /// With what the store knows; only the first time counts.
  void open(const session::Usage& stored);

 private:
  std::atomic<std::int64_t> audio_ms_{0};
  std::atomic<std::int64_t> tokens_{0};
  std::atomic<bool> opened_{false};
};

/// Why nobody was let in, of the limits that are looked at before an upgrade.
enum class AdmissionLimit : std::uint8_t {
  sessions = 0,
  sessions_per_user = 1,
  connects_per_minute = 2,
  user_audio_seconds = 3,
  user_tokens = 4,
  descriptors = 5,
  journal_bytes = 6
};

/// The answer to one that is not let in, and by which limit, if by one of those.
struct NotAdmitted {
  HttpResponse response;
  std::optional<AdmissionLimit> limit = std::nullopt;
};

class AdmissionControl {
 public:
  explicit AdmissionControl(const config::Limits& limits)
      : limits_(limits), connects_(limits.connects_per_minute) {}

  /// The answer to an address that connects too often.
  std::optional<NotAdmitted> refuse_address(const std::string& address);

  /// A user's place among his own sessions, given back when it goes. Moves; what it points to
  /// stays.
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
    bool counted_;  ///< among the sessions of the user

   public:
    std::shared_ptr<UserAccount> account;  ///< null: users have no budgets
  };

  /// Takes it, or says why not: 429 with Retry-After. `by_token`: a client token names the user. A
  /// back end with its own key may stand for any number of people: its sessions are not counted.
  Awaitable<std::variant<Permit, NotAdmitted>> admit(const std::string& user, bool by_token,
                                                     TimeMs now, StoreReader& reader,
                                                     const Executor& executor);

 private:
  void leave(const std::string& user, bool counted);
  std::shared_ptr<UserAccount> account_of(const std::string& user, std::int64_t day);

  const config::Limits limits_;
  RateLimit connects_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> sessions_;  ///< of each user that tokens name, now
  std::map<std::pair<std::string, std::int64_t>, std::weak_ptr<UserAccount>> accounts_;
};

}  // namespace verbatim::server
