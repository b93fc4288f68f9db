// Spans as OTLP's JSON (an ExportTraceServiceRequest), and the collector's answer.
//
// The JSON encoding of OTLP: names in camelCase, ids in hexadecimal, 64-bit integers as strings,
// enums as numbers. Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "server/traces/span.hpp"

namespace verbatim::traces {

/// `resource`: attributes of this process.
std::string export_request(const Attributes& resource, std::span<const Span> spans);

/// How many spans of an accepted request the collector rejected ("partial success"). An answer that
/// cannot be read rejects none.
std::size_t rejected_spans(std::string_view answer);

}  // namespace verbatim::traces
