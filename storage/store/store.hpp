// All that the server asks of a store. A part of the server takes the small interface that it
// needs; only the start of the process knows the class behind them.
//
// - Conversations write to the journal and wait for its watermark; nothing else is on their path.
// - Every other call is asynchronous (call.hpp). Any thread calls.
// - A change may be lost only before its `done`. It is refused at once, not queued, while the store
//   can write nothing (StoreHealth::state()).
#pragma once

#include <chrono>

#include "session/transcript/journal.hpp"
#include "storage/store/admission_store.hpp"
#include "storage/store/copy_store.hpp"
#include "storage/store/delivery_store.hpp"
#include "storage/store/health.hpp"
#include "storage/store/moving_store.hpp"
#include "storage/store/recording_store.hpp"
#include "storage/store/repair_store.hpp"
#include "storage/store/session_store.hpp"
#include "storage/store/shipping_store.hpp"
#include "storage/store/suspended_store.hpp"
#include "storage/store/tail_store.hpp"
#include "storage/store/token_store.hpp"
#include "storage/store/upload_store.hpp"
#include "storage/store/webhook_store.hpp"

namespace verbatim::store {

class Store : public SessionStore,
              public CopyStore,
              public TokenStore,
              public AdmissionStore,
              public SuspendedStore,
              public MovingStore,
              public TailStore,
              public RecordingStore,
              public RepairStore,
              public UploadStore,
              public WebhookStore,
              public DeliveryStore,
              public ShippingStore,
              public StoreHealth {
 public:
  /// For conversations.
  virtual transcript::Journal& journal() = 0;
  /// Takes no more, writes what was accepted, and closes in order. False if that takes longer than
  /// `at_most`: the store can then not be destroyed, and the next start recovers it.
  virtual bool shut_down(std::chrono::milliseconds at_most) = 0;
};

}  // namespace verbatim::store
