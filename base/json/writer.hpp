// Writes a JSON object out of pieces that are JSON already, for rewriting a message without a tree:
// what is not touched keeps its bytes, half surrogate pairs and long numbers included. One thread;
// keys must outlive it.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace verbatim::json {

inline std::string quoted(std::string_view plain) { return '"' + std::string(plain) + '"'; }

class ObjectWriter {
 public:
  /// `key` without its quotes, as written; `value` is JSON. A key that is there already stays as it
  /// is: two parsers can not read the result in two ways.
  void add(std::string_view key, std::string_view value) {
    if (!keys_.insert(key).second) return;
    text_ += text_.size() == 1 ? "\"" : ",\"";
    text_.append(key).append("\":").append(value);
  }

  bool empty() const { return keys_.empty(); }
  std::string text() const { return text_ + '}'; }

 private:
  std::string text_ = "{";
  std::set<std::string_view> keys_;
};

}  // namespace verbatim::json
