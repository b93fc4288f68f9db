// Writes a JSON object from members that are already JSON, to rewrite a message without a tree.
// Unchanged members keep their bytes, including half surrogate pairs and long numbers. One thread;
// the keys must outlive the writer.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace verbatim::json {

inline std::string quoted(std::string_view plain) { return '"' + std::string(plain) + '"'; }

class ObjectWriter {
 public:
  /// `key`: as written, without its quotes; `value`: JSON. Ignored if the key is already there, so
  /// two parsers cannot read the result differently.
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
