// What a finished transcript states of itself (P13), so that nobody grades half a conversation as a
// whole one and everybody can prove what was graded: counts, what is known to be missing, and a
// hash that a back end in any language can compute again from the transcript's JSON.
//
// A function of the transcript as it is read, posted copies included. Pure. The form, with an
// example: docs/merge.md.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "session/transcript/merge/merge.hpp"

namespace verbatim::session {

/// Names the form below. Another form will have another name.
inline constexpr const char* receipt_form = "verbatim-transcript-1";

struct Receipt {
  std::size_t committed = 0;  ///< turns: each committed utterance has one, with or without words
  std::size_t with_text = 0;
  std::size_t interrupted = 0;
  std::size_t failed = 0;
  // Tool calls, counted apart: they are no turns, and the hash is not of them.
  std::size_t tool_calls = 0;
  std::size_t tool_calls_failed = 0;
  std::size_t tool_calls_unanswered = 0;
  bool complete = false;
  std::vector<Gap> gaps;
  std::string sha256;  ///< of canonical_form(), in hex

  friend bool operator==(const Receipt&, const Receipt&) = default;
};

/// Netstrings (`LENGTH:BYTES,`, the length in bytes of UTF-8, in decimals): the form's name,
/// session id, attempt; then for each turn ordinal, item_id, role, status, text, heard.audio_ms,
/// heard.text, deleted ("true"), with the empty string for what is null or absent.
std::string canonical_form(const std::string& session_id, int attempt,
                           const std::vector<MergedTurn>& turns);

Receipt receipt_of(const std::string& session_id, int attempt, const MergedTranscript& transcript);

}  // namespace verbatim::session
