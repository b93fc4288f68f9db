#include "session/transcript/merge/spelling.hpp"

#include <functional>

#include "session/transcript/merge/text_similarity.hpp"

namespace verbatim::transcript {

const std::string& Spelling::words() const {
  if (!words_) {
    words_ = spoken_words(text_->wtf8());
    hash_ = std::hash<std::string_view>()(*words_);
  }
  return *words_;
}

std::size_t Spelling::hash() const {
  words();
  return hash_;
}

const Spelling& Spellings::of(const Text& text) {
  return known_.try_emplace(text.wtf8(), text).first->second;
}

}  // namespace verbatim::transcript
