#include "server/net/connections.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

namespace verbatim::net {
namespace {

struct Words {
  const char* why;
  const char* now;
};

Words words(ConnectionRefusal why) {
  switch (why) {
    case ConnectionRefusal::connections_max:
      return {"server.connections_max",
              "new connections are closed; raise server.connections_max if this is not an attack"};
    case ConnectionRefusal::descriptors:
      return {"too few file descriptors",
              "new connections get 503 or are closed; raise the limit of open files (ulimit -n, "
              "LimitNOFILE=) or lower server.connections_max"};
    case ConnectionRefusal::connections_per_address:
      return {"server.connections_per_address",
              "new connections from this address are closed; if it is a proxy, name it in "
              "server.trusted_proxies"};
  }
  return {"", ""};
}

}  // namespace

Connections::Limits connection_limits(const config::Server& settings) {
  const std::size_t quarter = std::max<std::size_t>(1, settings.connections_max / 4);
  return {settings.connections_max,
          settings.connections_per_address != 0 ? settings.connections_per_address : quarter};
}

tl::expected<Connections::PermitPtr, ConnectionRefusal> Connections::take(
    const std::string& address, Executor executor) {
  auto permit = std::make_shared<Permit>(shared_from_this(), std::move(executor));
  std::optional<ConnectionRefusal> why;
  {
    const std::string key = limited_key(address);
    const std::lock_guard lock(mutex_);
    if (!make_room(key)) {
      why = ConnectionRefusal::connections_per_address;
    } else if (!make_room_for_all()) {
      why = ConnectionRefusal::connections_max;
    } else {
      count(*permit, key);
      add_to_idle(*permit);
    }
  }
  if (!why) return permit;
  refused(*why, address);
  return tl::unexpected(*why);
}

void Connections::reload(Limits limits, std::shared_ptr<const TrustedProxies> proxies) {
  proxies_.set(std::move(proxies));
  const std::lock_guard lock(mutex_);
  limits_ = limits;
}

std::string Connections::limited_key(const std::string& address) const {
  const bool limited =
      !address.empty() && !is_loopback(address) && !proxies_.get()->trusts(address);
  return limited ? address_key(address) : std::string();
}

std::size_t Connections::open() const {
  const std::lock_guard lock(mutex_);
  return all_.open;
}

std::size_t Connections::busy() const {
  const std::lock_guard lock(mutex_);
  return all_.staying() - idle_.size();
}

// ---- with the mutex held -------------------------------------------------------------------

bool Connections::make_room(const std::string& key) {
  const auto found = of_address_.find(key);
  if (found == of_address_.end() || found->second.staying() < limits_.of_one_address) return true;
  Permit* const one = longest_idle(key);
  if (one != nullptr) choose_to_go(*one);
  return one != nullptr;
}

bool Connections::make_room_for_all() {
  if (all_.staying() < limits_.all) return true;
  if (idle_.empty()) return false;
  choose_to_go(*idle_.front());
  return true;
}

Connections::Permit* Connections::longest_idle(const std::string& key) const {
  const auto found = std::find_if(idle_.begin(), idle_.end(),
                                  [&](const Permit* one) { return one->address_key_ == key; });
  return found == idle_.end() ? nullptr : *found;
}

void Connections::choose_to_go(Permit& permit) {
  take_out_of_idle(permit);
  permit.leaving_ = true;
  ++all_.leaving;
  if (!permit.address_key_.empty()) ++of_address_[permit.address_key_].leaving;
  asio::post(permit.executor_, [one = permit.weak_from_this()] {
    if (const auto there = one.lock()) there->go();
  });
}

void Connections::count(Permit& permit, const std::string& key) {
  permit.address_key_ = key;
  permit.counted_ = true;
  ++all_.open;
  if (counts_) ++counts_->open;
  if (!key.empty()) ++of_address_[key].open;
}

void Connections::uncount(Permit& permit) {
  const std::size_t leaving = std::exchange(permit.leaving_, false) ? 1 : 0;
  --all_.open;
  if (counts_) --counts_->open;
  all_.leaving -= leaving;
  const auto found = of_address_.find(permit.address_key_);
  if (permit.address_key_.empty() || found == of_address_.end()) return;
  found->second.leaving -= leaving;
  if (--found->second.open == 0) of_address_.erase(found);
}

/// The connection stays, and another is chosen. If none can be closed, the number is one over the
/// limit until the next closes.
void Connections::choose_instead_of(Permit& permit) {
  permit.leaving_ = false;
  --all_.leaving;
  const auto use = of_address_.find(permit.address_key_);
  if (use != of_address_.end()) {
    --use->second.leaving;
    if (use->second.staying() > limits_.of_one_address)
      if (Permit* const other = longest_idle(permit.address_key_)) choose_to_go(*other);
  }
  if (all_.staying() > limits_.all && !idle_.empty()) choose_to_go(*idle_.front());
}

void Connections::add_to_idle(Permit& permit) {
  if (std::exchange(permit.waits_, true)) return;
  idle_.push_back(&permit);
  permit.in_idle_ = std::prev(idle_.end());
  if (counts_) ++counts_->idle;
}

void Connections::take_out_of_idle(Permit& permit) {
  if (!std::exchange(permit.waits_, false)) return;
  idle_.erase(permit.in_idle_);
  if (counts_) --counts_->idle;
}

// ---- permits -------------------------------------------------------------------------------

void Connections::leave(Permit& permit) {
  const std::lock_guard lock(mutex_);
  take_out_of_idle(permit);
  if (permit.counted_) uncount(permit);
}

Connections::Permit::~Permit() {
  if (upgrades_ && of_->counts_) --of_->counts_->websockets;
  of_->leave(*this);
}

void Connections::Permit::upgrades() {
  if (std::exchange(upgrades_, true) || !of_->counts_) return;
  ++of_->counts_->websockets;
}

void Connections::Permit::idle(Socket& socket) {
  socket_ = &socket;
  begun_ = true;
  bool chosen = false;
  {
    const std::lock_guard lock(of_->mutex_);
    chosen = leaving_;
    if (!chosen) of_->add_to_idle(*this);
  }
  if (chosen) go();
}

void Connections::Permit::busy() {
  socket_ = nullptr;
  begun_ = true;
  const std::lock_guard lock(of_->mutex_);
  of_->take_out_of_idle(*this);
}

/// It has received a request, or bytes from it wait in the kernel.
bool Connections::Permit::stays() const {
  if (socket_ == nullptr) return true;
  error_code ec;
  return socket_->available(ec) > 0 && !ec;
}

void Connections::Permit::go() {
  if (!begun_ || gone_) return;  // idle() checks again, when its thread serves it
  if (stays()) {
    const std::lock_guard lock(of_->mutex_);
    if (leaving_) of_->choose_instead_of(*this);
    return;
  }
  {
    const std::lock_guard lock(of_->mutex_);
    if (!leaving_) return;
  }
  gone_ = true;
  error_code ignored;
  socket_->close(ignored);
  of_->closed_idle();
}

bool Connections::Permit::belongs_to(const std::string& address) {
  const std::string key = of_->limited_key(address);
  {
    const std::lock_guard lock(of_->mutex_);
    if (key == address_key_) return true;
    if (of_->make_room(key)) {
      of_->uncount(*this);
      of_->count(*this, key);
      return true;
    }
  }
  of_->refused(ConnectionRefusal::connections_per_address, address);
  return false;
}

void Connections::Permit::handshake_failed(const std::string& address, const error_code& why) {
  if (of_->counts_) ++of_->counts_->handshakes_failed;
  of_->log_.repeated(Repeated::handshake_failed, {{"remote", address}, {"why", why.message()}});
}

// ---- counting and logging ------------------------------------------------------------------

void Connections::refused(ConnectionRefusal why, const std::string& address) {
  if (counts_) counts_->refuse(why);
  const auto line = refusals_[static_cast<std::size_t>(why)].take(Clock::now());
  if (!line.write) return;
  log_.warn("connections.refused", {{"why", words(why).why},
                                    {"connections", open()},
                                    {"refused", line.left_out + 1},
                                    {"remote", address},
                                    {"now", words(why).now}});
}

void Connections::closed_idle() {
  if (counts_) ++counts_->closed_idle;
  const auto line = closed_idle_.take(Clock::now());
  if (!line.write) return;
  log_.warn("connections.closed_idle",
            {{"connections", open()},
             {"closed", line.left_out + 1},
             {"now",
              "idle connections are closed for new ones (server.connections_max, "
              "server.connections_per_address)"}});
}

}  // namespace verbatim::net
