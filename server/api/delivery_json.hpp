// Webhook deliveries as the API and the command line show them. Pure; any thread.
#pragma once

#include "base/json/tree_fwd.hpp"
#include "storage/store/delivery_store.hpp"

namespace verbatim::api {

Json to_json(const store::DeliveryRecord& record);
Json to_json(const store::DeliveryPage& page);

}  // namespace verbatim::api
