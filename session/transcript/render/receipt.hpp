// The receipt of a finished transcript (P13): counts, known gaps, and a hash. It shows whether a
// transcript is complete, and proves which text was evaluated. A back end in any language can
// compute the hash from the transcript's JSON.
//
// A function of the transcript as it is read, including posted copies. Pure; any thread. The form,
// with an example: docs/merge.md.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "session/transcript/merge/merge.hpp"

namespace verbatim::transcript {

/// Name of the form below. Another form will have another name.
inline constexpr const char* receipt_form = "verbatim-transcript-1";

struct Receipt {
  std::size_t committed = 0;  ///< turns; each committed utterance has one, with or without text
  std::size_t with_text = 0;
  std::size_t interrupted = 0;
  std::size_t failed = 0;
  std::size_t repaired = 0;  ///< text from the recorded audio, by the writer `repair`
  // Tool calls, counted separately: they are not turns and not part of the hash.
  std::size_t tool_calls = 0;
  std::size_t tool_calls_failed = 0;
  std::size_t tool_calls_unanswered = 0;
  bool complete = false;
  std::vector<Gap> gaps;
  std::string sha256;         ///< of canonical_form(), in hex
  bool tail_pending = false;  ///< another node of a fleet may have more of the attempt

  friend bool operator==(const Receipt&, const Receipt&) = default;
};

/// Netstrings: `LENGTH:BYTES,`, the length in bytes of UTF-8, in decimal. First the form's name,
/// session id and attempt. Then for each turn: ordinal, item_id, role, status, text,
/// heard.audio_ms, heard.text, deleted ("true"). A null or absent value is the empty string.
std::string canonical_form(const std::string& session_id, int attempt,
                           const std::vector<MergedTurn>& turns);

Receipt receipt_of(const std::string& session_id, int attempt, const MergedTranscript& transcript);

}  // namespace verbatim::transcript
