// The addresses of an S3-compatible service, and the meaning of its answers.
//
// Pure; any thread. Untrusted input: nothing throws.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"

namespace verbatim::bucket {

/// The key with every character escaped but letters, digits, `-._~` and `/`, as signatures demand.
std::string escaped_key(std::string_view key);
/// `endpoint`: empty: that of AWS in the region. `key`: empty: the bucket itself.
std::string object_url(const std::string& endpoint, const std::string& bucket,
                       const std::string& region, bool path_style, const std::string& key);

struct S3Answer {
  int status = 0;                                   ///< 0: no answer
  std::map<std::string, std::string> headers = {};  ///< names in lower case
  std::string body = {};   ///< its beginning, unless it was taken elsewhere
  std::string error = {};  ///< why there was no whole answer
  bool stopped = false;

  bool ok() const { return status >= 200 && status < 300 && error.empty(); }
  /// Empty if there is none.
  std::string field(const std::string& name) const;
};

/// The text of the first element of that name; of all of them.
std::string element(std::string_view xml, std::string_view name);
std::vector<std::string> elements(std::string_view xml, std::string_view name);
std::string xml_text(std::string_view text);

/// Why a call was refused, for the log: a status, the service's own code and advice. Never a key or
/// a signature.
std::string reason_of(const S3Answer& answer, TimeMs now);
/// The pause that the service asks for.
std::optional<std::chrono::milliseconds> asked_pause(const S3Answer& answer, TimeMs now);

struct Expected {
  std::uint64_t bytes = 0;
  std::string sha256;    ///< in hexadecimal
  std::string md5 = {};  ///< empty: not known, or the object was sent in parts
};
/// The difference between the answer to HEAD and the file; empty: there is none.
std::string difference(const S3Answer& head, const Expected& expected);

}  // namespace verbatim::bucket
