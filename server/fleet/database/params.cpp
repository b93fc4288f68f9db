#include "server/fleet/database/params.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/utf8.hpp"

namespace verbatim::database {
namespace {

/// The protocol's byte order: the most significant first.
template <class T>
void append_number(std::string& to, T value) {
  for (int shift = (static_cast<int>(sizeof value) - 1) * 8; shift >= 0; shift -= 8)
    to += static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xFF);
}

std::uint32_t array_type(Array::Element element) {
  switch (element) {
    case Array::Element::boolean:
      return 1000;
    case Array::Element::bytes:
      return 1001;
    case Array::Element::int4:
      return 1007;
    case Array::Element::text:
      return 1009;
    case Array::Element::int8:
      break;
  }
  return 1016;
}

}  // namespace

void Array::add(std::int64_t value) {
  ++count_;
  if (element_ == Element::int4) {
    append_number(elements_, std::uint32_t{4});
    append_number(elements_, static_cast<std::int32_t>(value));
  } else {
    append_number(elements_, std::uint32_t{8});
    append_number(elements_, value);
  }
}

void Array::add(bool value) {
  ++count_;
  append_number(elements_, std::uint32_t{1});
  elements_ += static_cast<char>(value);
}

void Array::add(std::string_view value) {
  ++count_;
  append_number(elements_, static_cast<std::uint32_t>(value.size()));
  elements_ += value;
}

void Array::add_null() {
  ++count_;
  has_null_ = true;
  append_number(elements_, std::int32_t{-1});
}

std::string Array::in_binary() const {
  std::string out;
  out.reserve(20 + elements_.size());
  append_number(out, std::uint32_t{count_ == 0 ? 0u : 1u});  // dimensions
  append_number(out, std::uint32_t{has_null_});
  append_number(out, static_cast<std::uint32_t>(element_));
  if (count_ == 0) return out;
  append_number(out, count_);
  append_number(out, std::uint32_t{1});  // the first index
  return out + elements_;
}

bool is_storable_text(std::string_view text) {
  return text.find('\0') == text.npos && utf8::is_valid(text);
}

Params& Params::put(std::uint32_t type, std::string value) {
  values_.push_back(std::move(value));
  types_.push_back(type);
  return *this;
}

Params& Params::add(std::int64_t value) {
  std::string bytes;
  append_number(bytes, value);
  return put(20, std::move(bytes));
}

Params& Params::add_int4(std::int32_t value) {
  std::string bytes;
  append_number(bytes, value);
  return put(23, std::move(bytes));
}

Params& Params::add(bool value) { return put(16, std::string(1, static_cast<char>(value))); }
Params& Params::add_text(std::string_view value) {
  VERBATIM_EXPECTS_SLOW(is_storable_text(value));
  return put(25, std::string(value));
}
Params& Params::add_bytes(std::string_view value) { return put(17, std::string(value)); }
Params& Params::add(const Array& array) {
  return put(array_type(array.element_), array.in_binary());
}

std::vector<const char*> Params::values() const {
  std::vector<const char*> all;
  for (const std::string& value : values_) all.push_back(value.data());
  return all;
}

std::vector<int> Params::lengths() const {
  std::vector<int> all;
  for (const std::string& value : values_) all.push_back(static_cast<int>(value.size()));
  return all;
}

}  // namespace verbatim::database
