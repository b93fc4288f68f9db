// The format of console.prices.
#include "config/formats.hpp"

namespace verbatim::config {

namespace {

struct Price {
  const char* name;
  double ModelPrices::*field;
};

constexpr Price prices[] = {
    {"text_input", &ModelPrices::text_input},
    {"text_input_cached", &ModelPrices::text_input_cached},
    {"text_output", &ModelPrices::text_output},
    {"audio_input", &ModelPrices::audio_input},
    {"audio_input_cached", &ModelPrices::audio_input_cached},
    {"audio_output", &ModelPrices::audio_output},
};

constexpr double price_max = 1'000'000;

ModelPrices read_prices(const Value& value) {
  if (!value.is_object()) throw BadValue("contains an element that is not a table");
  std::vector<std::string> known = {"model"};
  for (const Price& price : prices) known.emplace_back(price.name);
  require_members(value, known);
  ModelPrices read;
  read.model = member(value, "model");
  if (read.model.empty()) throw BadValue("has a table without a model");
  for (const auto& [name, field] : prices) {
    const auto given = value.find(name);
    if (given == value.end()) continue;
    const double amount = given->is_number() ? given->get<double>() : -1;
    if (amount < 0 || amount > price_max)
      throw BadValue(std::string("has a ") + name + " that is not a number from 0 to 1000000");
    read.*field = amount;
  }
  return read;
}

}  // namespace

Format<std::vector<ModelPrices>> model_prices() {
  return {Shape::list, "a list of { model = \"...\", text_input = 4.0, audio_output = 64.0 }",
          [](const Value& value, Source) {
            if (!value.is_array()) throw BadValue("is not a list");
            std::vector<ModelPrices> list;
            for (const Value& element : value) list.push_back(read_prices(element));
            return list;
          },
          [](const std::vector<ModelPrices>& list) {
            Value shown = Value::array();
            for (const ModelPrices& one : list) {
              Value& table = shown.emplace_back(Value{{"model", one.model}});
              for (const auto& [name, field] : prices) table[name] = one.*field;
            }
            return shown;
          }};
}

}  // namespace verbatim::config
