#include "config/pattern.hpp"

#include <re2/re2.h>

#include <utility>

namespace verbatim::config {
namespace {

constexpr std::size_t expression_bytes_max = 1000;
/// Memory limit of a compiled expression and of its matching state.
constexpr std::int64_t memory_bytes_max = 1024 * 1024;

}  // namespace

Pattern::Pattern(std::string expression) : expression_(std::move(expression)) {
  if (expression_.empty()) return;
  if (expression_.size() > expression_bytes_max)
    throw Malformed("longer than " + std::to_string(expression_bytes_max) + " bytes");
  re2::RE2::Options options;
  options.set_log_errors(false);  // the expression may hold private text
  options.set_max_mem(memory_bytes_max);
  auto compiled = std::make_shared<const re2::RE2>(expression_, options);
  if (!compiled->ok()) throw Malformed(compiled->error());
  compiled_ = std::move(compiled);
}

bool Pattern::matches(std::string_view text) const {
  return !compiled_ || re2::RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *compiled_);
}

}  // namespace verbatim::config
