// A spill in memory that a test can inspect, and can make refuse or fail.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "session/transcript/spill.hpp"

namespace verbatim::session::test {

class MemorySpill final : public transcript::Spill {
 public:
  /// Shared with the test, since the transcript owns the spill.
  struct Control {
    std::function<bool()> refuses = [] { return false; };
    bool fails = false;
    std::vector<std::string> records;
    std::size_t reads = 0;
  };

  explicit MemorySpill(std::shared_ptr<Control> control) : control_(std::move(control)) {}

  std::optional<Offset> put(std::string_view bytes) override {
    if (control_->refuses()) return std::nullopt;
    control_->records.emplace_back(bytes);
    return control_->records.size() - 1;
  }

  std::string get(Offset place) const override {
    if (control_->fails) throw transcript::SpillError("the spill is set to fail");
    ++control_->reads;
    return control_->records.at(place);
  }

 private:
  std::shared_ptr<Control> control_;
};

}  // namespace verbatim::session::test
