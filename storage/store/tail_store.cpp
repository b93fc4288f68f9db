#include "storage/store/tail_store.hpp"

#include <charconv>

namespace verbatim::store {
namespace {

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::string to_string(const TailMark& mark) {
  return std::to_string(mark.attempt) + (mark.final ? ".final." : ".") +
         std::to_string(mark.number);
}

std::optional<TailMark> tail_mark_from_string(std::string_view text) {
  TailMark mark;
  if (!take_number(text, mark.attempt) || mark.attempt < 1) return std::nullopt;
  constexpr std::string_view final = ".final.";
  mark.final = text.starts_with(final);
  if (!text.starts_with('.')) return std::nullopt;
  text.remove_prefix(mark.final ? final.size() : 1);
  // The store's numbers fit into 63 bits.
  if (!take_number(text, mark.number) || !text.empty() || mark.number > INT64_MAX)
    return std::nullopt;
  return mark;
}

}  // namespace verbatim::store
