#include "server/app/fleet_shipping.hpp"

#ifdef VERBATIM_FLEET

#include <iterator>
#include <mutex>

#include "server/fleet/directory/session_homes.hpp"
#include "server/fleet/ownership/ownership.hpp"
#include "server/fleet/shipping/confirmed_journal.hpp"
#include "server/fleet/shipping/shipper.hpp"
#include "server/fleet/tokens/fleet_tokens.hpp"
#include "server/relay/session_registry.hpp"
#include "server/relay/shipping_health.hpp"

namespace verbatim::app {

namespace {

/// Everything that is durable, if the stream is read from the file that has it.
transcript::Sequence covered_by(store::Store& store) {
  return store.state() == store::JournalState::fallback ? 0 : store.journal().durable();
}

}  // namespace

struct FleetShipping::Parts final : relay::ShippingHealth {
  Parts(shipping::ShipperParts of, std::unique_ptr<store::Shipping> stream,
        transcript::Journal& journal)
      : shipper(std::move(of), std::move(stream)), confirmed(journal, shipper.state()) {}

  std::string refusal() const override { return shipper.state().refusal(); }
  std::string warning() const override { return shipper.state().warning(); }
  relay::ShippingGauges gauges() const override {
    const shipping::ShippingFigures now = shipper.state().figures();
    relay::ShippingGauges gauges;
    gauges.connected = now.connected;
    gauges.fenced = now.fenced;
    gauges.lag_seconds = now.lag_seconds;
    gauges.backlog_bytes = now.backlog_bytes;
    gauges.backlog_events = now.backlog_events;
    gauges.batches = now.batches;
    gauges.events = now.events;
    gauges.bytes = now.bytes;
    gauges.connects = now.connects;
    gauges.failures = now.failures;
    gauges.confirm_bounds.assign(std::begin(shipping::confirm_bounds),
                                 std::end(shipping::confirm_bounds));
    gauges.confirm_buckets.assign(now.confirms.begin(), now.confirms.end());
    gauges.confirm_seconds = now.confirm_seconds;
    return gauges;
  }

  ownership::OwnNode own() const {
    const shipping::ShippingFigures figures = shipper.state().figures();
    const auto now = std::chrono::steady_clock::now();
    ownership::OwnNode node;
    node.incarnation = figures.incarnation;
    node.lease.held = figures.lease_until && now < *figures.lease_until;
    node.lease.may_fence =
        node.lease.held && figures.may_fence_from && now >= *figures.may_fence_from;
    return node;
  }

  /// The shipper's thread runs before and after the ownership does.
  void entered() {
    const std::lock_guard lock(mutex);
    if (owner) owner->entered();
  }
  void set_owner(ownership::Ownership* now) {
    const std::lock_guard lock(mutex);
    owner = now;
  }

  std::mutex mutex;
  ownership::Ownership* owner = nullptr;
  shipping::Shipper shipper;
  shipping::ConfirmedJournal confirmed;
};

namespace {

/// The directory, and what moves sessions for it.
class FleetDirectory final : public relay::SessionDirectory {
 public:
  FleetDirectory(ownership::OwnershipParts parts, tokens::FleetTokenParts of_tokens,
                 std::function<std::int64_t()> incarnation,
                 std::function<void(ownership::Ownership*)> show)
      : ownership_(parts),
        tokens_(std::move(of_tokens)),
        homes_(parts.settings, std::move(incarnation), parts.log),
        show_(std::move(show)) {
    parts.suspended.in_fleet([this] { return ownership_.owns(); });
    show_(&ownership_);
  }
  ~FleetDirectory() override { show_(nullptr); }

  void find(const std::string& session_id, relay::Purpose purpose,
            std::function<void(relay::SessionHome)> done) override {
    homes_.find(session_id, purpose, std::move(done));
  }
  void forget(const std::string& session_id) override { homes_.forget(session_id); }
  void take(const std::string& session_id, const relay::Node& from,
            std::function<void(Taken)> done) override {
    ownership_.take(session_id, from, std::move(done));
  }
  void bring_token(const std::string& id, std::function<void(relay::TokenRecord)> done) override {
    tokens_.bring(id, std::move(done));
  }
  void revoke_token(const std::string& id, TimeMs at,
                    std::function<void(relay::TokenRecord)> done) override {
    tokens_.revoke(id, at, std::move(done));
  }
  std::int64_t incarnation() const override { return homes_.incarnation(); }

 private:
  ownership::Ownership ownership_;
  tokens::FleetTokens tokens_;
  directory::SessionHomes homes_;
  std::function<void(ownership::Ownership*)> show_;
};

/// An erasure that other nodes have asked for.
void erase_here(relay::Erasure& erasure, const std::string& id, bool stored, store::Done<> done) {
  const auto erased = [done = std::move(done)](relay::Erased outcome) {
    if (outcome.error) return done(tl::unexpected(*std::move(outcome.error)));
    if (outcome.outcome == relay::Erased::Outcome::capture_failure ||
        outcome.outcome == relay::Erased::Outcome::recording_failure)
      return done(tl::unexpected(store::StorageError(
          store::Failure::other, "captured events or recorded audio cannot be removed")));
    done({});
  };
  erasure.remove(id, stored, erased, [](relay::Erasure::Gone) {});
}

}  // namespace

void require_fleet_support(const config::Settings&) {}

transcript::Journal& FleetShipping::begin(const config::Settings& settings, store::Store& store,
                                          transcript::Journal& journal, relay::StorageWatch& watch,
                                          relay::Registry& registry, Log& log) {
  if (settings.fleet.url.empty()) return journal;
  shipping::ShipperParts of{settings.fleet,
                            VERBATIM_VERSION,
                            settings.journal.slow_commit,
                            settings.journal.full_retry,
                            [&store] { return covered_by(store); },
                            [&store] { return store.queue_bytes() == 0; },
                            [&watch] { watch.on_durable(0); },
                            [&registry, &watch] {
                              watch.on_durable(0);
                              registry.end_all(transcript::CloseReason::storage_failure,
                                               "the transcript cannot be saved in the fleet");
                            },
                            log,
                            [this] {
                              if (parts_) parts_->entered();
                            }};
  auto stream = store.open_shipping();
  if (!stream) throw config::ConfigError("fleet.url: the store does not track its changes");
  parts_ = std::make_unique<Parts>(std::move(of), std::move(stream), journal);
  watch.ship_with(*parts_);
  parts_->shipper.start();
  if (settings.fleet.ship == config::Ship::before) return parts_->confirmed;
  return journal;
}

std::shared_ptr<relay::SessionDirectory> FleetShipping::directory(const DirectoryParts& of) {
  if (!parts_) return nullptr;
  Parts& parts = *parts_;
  const config::Fleet& settings = of.settings;
  ownership::OwnershipParts owner{
      settings,
      [&parts] { return parts.own(); },
      of.store,
      of.store,
      [&erasure = of.erasure](const std::string& id, bool stored, store::Done<> done) {
        erase_here(erasure, id, stored, std::move(done));
      },
      of.registry,
      of.suspended,
      of.log};
  return std::make_shared<FleetDirectory>(
      std::move(owner),
      tokens::FleetTokenParts{settings, of.store,
                              [&credentials = of.credentials, &store = of.store](
                                  const std::string& id, store::Done<> done) {
                                credentials.revoke_token(id, store, std::move(done));
                              },
                              of.log},
      [&parts] { return parts.shipper.state().figures().incarnation; },
      [&parts](ownership::Ownership* shown) { parts.set_owner(shown); });
}

const shipping::ShippingState* FleetShipping::state() const {
  return parts_ ? &parts_->shipper.state() : nullptr;
}

void FleetShipping::finish(std::chrono::milliseconds patience) {
  if (parts_) parts_->shipper.finish(patience);
}

}  // namespace verbatim::app

#else  // built without the fleet

namespace verbatim::app {

struct FleetShipping::Parts {};

void require_fleet_support(const config::Settings& settings) {
  if (!settings.fleet.url.empty())
    throw config::ConfigError(
        "fleet.url: this program was built without the fleet (VERBATIM_FLEET=OFF)");
}

transcript::Journal& FleetShipping::begin(const config::Settings& settings, store::Store&,
                                          transcript::Journal& journal, relay::StorageWatch&,
                                          relay::Registry&, Log&) {
  require_fleet_support(settings);
  return journal;
}

std::shared_ptr<relay::SessionDirectory> FleetShipping::directory(const DirectoryParts&) {
  return nullptr;
}

const shipping::ShippingState* FleetShipping::state() const { return nullptr; }

void FleetShipping::finish(std::chrono::milliseconds) {}

}  // namespace verbatim::app

#endif

namespace verbatim::app {

FleetShipping::FleetShipping() = default;
FleetShipping::~FleetShipping() = default;

}  // namespace verbatim::app
