#include "session/usage_meter.hpp"

namespace verbatim::session {

void Meter::resume(const transcript::AudioMetered& counted) {
  input_us_ = counted.input_ms * 1000;
  output_us_ = counted.output_ms * 1000;
  written_ = counted;
}

void Meter::client_sent(std::int64_t bytes) {
  input_us_ += bytes * 1'000'000 / input_bytes_per_second_;
}

void Meter::requested(const protocol::AudioFormats& formats) {
  if (!provider_named_formats_) take_formats(formats);
}

void Meter::configured(const protocol::AudioFormats& formats) {
  provider_named_formats_ = provider_named_formats_ || formats.named;
  take_formats(formats);
}

/// Takes the formats that are named; the others stay.
void Meter::take_formats(const protocol::AudioFormats& formats) {
  input_bytes_per_second_ = formats.input_bytes_per_second.value_or(input_bytes_per_second_);
  output_bytes_per_second_ = formats.output_bytes_per_second.value_or(output_bytes_per_second_);
  input_format_ = formats.input.value_or(input_format_);
  output_format_ = formats.output.value_or(output_format_);
}

void Meter::provider_sent(const transcript::AudioDelta& audio) {
  output_us_ += audio.bytes * 1'000'000 / output_bytes_per_second_;
}

std::optional<transcript::AudioMetered> Meter::unwritten() {
  const transcript::AudioMetered now = audio();
  if (now == written_) return std::nullopt;
  written_ = now;
  return now;
}

}  // namespace verbatim::session
