// The parameters of a statement, in the binary form of the database's protocol. Nothing is written
// as SQL text, so that texts may hold any bytes.
// Plain values; one thread at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace verbatim::database {

/// A list of values of one type, for `unnest($1::bigint[])`. A value may be null.
class Array {
 public:
  enum class Element : std::uint32_t {
    boolean = 16,
    bytes = 17,
    int8 = 20,
    int4 = 23,
    text = 25,
  };

  explicit Array(Element element) : element_(element) {}
  void add(std::int64_t value);
  void add(int value) { add(static_cast<std::int64_t>(value)); }
  void add(bool value);
  void add(std::string_view value);
  void add(const std::string& value) { add(std::string_view(value)); }
  void add(const char* value) = delete;
  template <class T>
  void add(const std::optional<T>& value) {
    value ? add(*value) : add_null();
  }
  void add_null();
  std::size_t size() const { return count_; }

 private:
  friend class Params;
  std::string in_binary() const;

  Element element_;
  std::uint32_t count_ = 0;
  bool has_null_ = false;
  std::string elements_;
};

/// Whether a column of type text can have it: valid UTF-8 without NUL.
bool is_storable_text(std::string_view text);

class Params {
 public:
  Params& add(std::int64_t value);
  Params& add(int value) = delete;  // write std::int64_t: the type is that of the statement
  Params& add(bool value);
  Params& add_int4(std::int32_t value);
  /// Precondition: is_storable_text().
  Params& add_text(std::string_view value);
  Params& add_bytes(std::string_view value);
  Params& add(const Array& array);

  // For the client library.
  int count() const { return static_cast<int>(values_.size()); }
  std::vector<const char*> values() const;
  std::vector<int> lengths() const;
  const std::vector<std::uint32_t>& types() const { return types_; }

 private:
  Params& put(std::uint32_t type, std::string value);

  std::deque<std::string> values_;
  std::vector<std::uint32_t> types_;
};

}  // namespace verbatim::database
