// A stream of shipments in memory, in place of a store's.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/event_fd.hpp"
#include "storage/store/shipping_store.hpp"

namespace verbatim::testing {

/// The stream, which outlives those that read it.
struct MemoryStream {
  mutable std::mutex mutex;
  store::StreamIdentity identity{"11111111-1111-4111-8111-111111111111", "run-1"};
  std::map<transcript::Sequence, store::Shipment> items;  ///< each with one event or some rows
  transcript::Sequence shipped = 0;
  std::vector<transcript::Sequence> resumed_from;
  bool is_continued = true;
  EventFd changes;

  transcript::Sequence highest() const {
    const std::lock_guard lock(mutex);
    return items.empty() ? 0 : items.rbegin()->first;
  }
  void put(transcript::Sequence seq, store::Shipment item) {
    const std::lock_guard lock(mutex);
    items[seq] = std::move(item);
    changes.notify();
  }
  void put_event(transcript::Sequence seq, const store::AttemptName& attempt, std::string body) {
    store::Shipment item;
    item.attempt_names = {attempt};
    item.events = {{seq, 0, 1'700'000'000'000 + static_cast<TimeMs>(seq), std::move(body)}};
    put(seq, std::move(item));
  }
};

class MemoryShipping final : public store::Shipping {
 public:
  explicit MemoryShipping(MemoryStream& stream) : stream_(stream) {}

  store::StoreResult<store::StreamIdentity> identity() override {
    const std::lock_guard lock(stream_.mutex);
    return stream_.identity;
  }
  store::StoreResult<transcript::Sequence> shipped() override {
    const std::lock_guard lock(stream_.mutex);
    return stream_.shipped;
  }
  store::StoreResult<bool> continues(const std::string&, transcript::Sequence) override {
    const std::lock_guard lock(stream_.mutex);
    return stream_.is_continued;
  }
  void renew_identity(store::Done<store::StreamIdentity> done) override {
    const std::lock_guard lock(stream_.mutex);
    stream_.identity = {"22222222-2222-4222-8222-222222222222", stream_.identity.run};
    stream_.is_continued = true;
    done(stream_.identity);
  }
  store::StoreResult<store::Shipment> read_shipment(transcript::Sequence after,
                                                    const store::ShipmentLimits& limits,
                                                    bool) override {
    const std::lock_guard lock(stream_.mutex);
    store::Shipment out;
    out.after = out.upto = after;
    for (auto item = stream_.items.upper_bound(after); item != stream_.items.end(); ++item) {
      if (out.events.size() >= limits.events_max) {
        out.more = true;
        break;
      }
      append(out, item->second);
      out.upto = item->first;
    }
    return out;
  }
  void note_shipped(transcript::Sequence upto, store::Done<> done) override {
    {
      const std::lock_guard lock(stream_.mutex);
      stream_.shipped = std::max(stream_.shipped, upto);
    }
    done({});
  }
  void resume_from(transcript::Sequence upto, store::Done<bool> done) override {
    {
      const std::lock_guard lock(stream_.mutex);
      stream_.resumed_from.push_back(upto);
    }
    done(false);
  }
  store::StoreResult<store::ShippingBacklog> backlog() override {
    const std::lock_guard lock(stream_.mutex);
    store::ShippingBacklog all;
    for (auto item = stream_.items.upper_bound(stream_.shipped); item != stream_.items.end();
         ++item)
      for (const store::ShippedEvent& event : item->second.events) {
        ++all.events;
        all.bytes += event.body.size();
      }
    return all;
  }
  int changes_fd() const override { return stream_.changes.fd(); }
  void arm() override { stream_.changes.reset(); }

 private:
  template <class T>
  static void append_all(std::vector<T>& to, const std::vector<T>& from) {
    to.insert(to.end(), from.begin(), from.end());
  }

  static void append(store::Shipment& to, const store::Shipment& item) {
    append_all(to.erased, item.erased);
    append_all(to.sessions, item.sessions);
    append_all(to.attempts, item.attempts);
    append_all(to.tokens, item.tokens);
    append_all(to.turns, item.turns);
    append_all(to.copies, item.copies);
    append_all(to.messages, item.messages);
    append_all(to.records, item.records);
    for (store::ShippedEvent event : item.events) {
      to.bytes += event.body.size();
      const store::AttemptName& name = item.attempt_names[event.attempt];
      auto found = std::find(to.attempt_names.begin(), to.attempt_names.end(), name);
      if (found == to.attempt_names.end())
        found = to.attempt_names.insert(to.attempt_names.end(), name);
      event.attempt = static_cast<std::size_t>(found - to.attempt_names.begin());
      to.events.push_back(std::move(event));
    }
  }

  MemoryStream& stream_;
};

}  // namespace verbatim::testing
