// Begins and ends the spans of one conversation: all are in its trace and carry its id.
//
// On the conversation's thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "server/traces/span.hpp"
#include "server/traces/span_names.hpp"
#include "server/traces/span_queue.hpp"
#include "server/traces/trace_context.hpp"

namespace verbatim::traces {

class SpanMaker {
 public:
  SpanMaker(SpanQueue& queue, TraceId trace, std::string session_id, int attempt)
      : queue_(queue), trace_(trace), session_id_(std::move(session_id)), attempt_(attempt) {}

  /// A span below the conversation's first span, or below `parent`.
  Span begin(std::string_view name, SpanKind kind, Moment start) {
    return begin(name, kind, start, root_);
  }
  Span begin(std::string_view name, SpanKind kind, Moment start, SpanId parent) {
    Span span;
    span.trace = trace_;
    span.id = ids_.next();
    span.parent = parent;
    span.name = name;
    span.kind = kind;
    span.start_us = span.end_us = wall_us(start);
    span.attributes.reserve(16);
    span.attributes.emplace_back(names::conversation_id, session_id_);
    span.attributes.emplace_back(names::attempt, std::int64_t{attempt_});
    return span;
  }
  /// Hands the span over to the exporter.
  void send(Span&& span) { queue_.push(std::move(span)); }
  void send(Span&& span, Moment start, Moment end) {
    span.end_us = end_after(start, end);
    send(std::move(span));
  }

  /// The conversation's first span; the parent of the others.
  void set_root(SpanId root) { root_ = root; }
  SpanId root() const { return root_; }
  /// Memory was too short for a span.
  void lost() { queue_.lost(); }

 private:
  SpanQueue& queue_;
  TraceId trace_;
  SpanId root_{};
  SpanIds ids_;
  std::string session_id_;
  int attempt_;
};

/// Adds an attribute with an id or a code from outside, if it is plain.
inline void add_plain(Span& span, std::string_view name, std::string_view from_outside) {
  if (std::string value = plain(from_outside); !value.empty())
    span.attributes.emplace_back(name, std::move(value));
}

}  // namespace verbatim::traces
