// A value that must not be printed. It has no conversion to text other than reveal(). Pure value.
#pragma once

#include <string>
#include <utility>

namespace verbatim {

/// Empty means "not set".
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  bool empty() const { return value_.empty(); }
  const std::string& reveal() const { return value_; }

 private:
  std::string value_;
};

}  // namespace verbatim
