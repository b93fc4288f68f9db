// Webhook deliveries as the API and the command line show them. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "storage/store/delivery_store.hpp"

namespace verbatim::api {

nlohmann::json to_json(const store::DeliveryRecord& record);
nlohmann::json to_json(const store::DeliveryPage& page);

}  // namespace verbatim::api
