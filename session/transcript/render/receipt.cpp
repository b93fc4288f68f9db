#include "session/transcript/render/receipt.hpp"

#include "base/crypto.hpp"
#include "base/json/dump.hpp"
#include "base/json/tree.hpp"
#include "base/utf8.hpp"

namespace verbatim::transcript {
namespace {

/// The text as the transcript's JSON shows it: ids of the provider may be invalid UTF-8.
std::string as_shown(const std::string& bytes) {
  if (utf8::is_valid(bytes)) return bytes;
  return Json::parse(dump(Json(bytes))).get<std::string>();
}

void add(std::string& form, std::string_view bytes) {
  form.append(std::to_string(bytes.size())).append(":").append(bytes).append(",");
}

}  // namespace

std::string canonical_form(const std::string& session_id, int attempt,
                           const std::vector<MergedTurn>& turns) {
  std::string form;
  add(form, receipt_form);
  add(form, as_shown(session_id));
  add(form, std::to_string(attempt));
  for (const MergedTurn& turn : turns) {
    add(form, std::to_string(turn.ordinal));
    add(form, as_shown(turn.item_id));
    add(form, to_string(turn.role));
    add(form, to_string(turn.status));
    add(form, as_shown(turn.text.utf8()));
    add(form, turn.heard ? std::to_string(turn.heard->audio_ms) : "");
    add(form, turn.heard && turn.heard->text ? as_shown(turn.heard->text->utf8()) : "");
    add(form, turn.deleted ? "true" : "");
  }
  return form;
}

Receipt receipt_of(const std::string& session_id, int attempt, const MergedTranscript& transcript) {
  Receipt receipt;
  receipt.committed = transcript.turns.size();
  for (const MergedTurn& turn : transcript.turns) {
    if (!turn.text.empty()) ++receipt.with_text;
    if (turn.status == TurnStatus::interrupted) ++receipt.interrupted;
    if (turn.status == TurnStatus::failed) ++receipt.failed;
    if (turn.repaired) ++receipt.repaired;
  }
  receipt.tool_calls = transcript.tool_calls.size();
  for (const ToolCall& call : transcript.tool_calls) {
    if (call.status == ToolStatus::failed) ++receipt.tool_calls_failed;
    if (call.status == ToolStatus::unanswered) ++receipt.tool_calls_unanswered;
  }
  receipt.complete = transcript.complete;
  receipt.gaps = transcript.gaps;
  receipt.sha256 = to_hex(sha256(canonical_form(session_id, attempt, transcript.turns)));
  return receipt;
}

}  // namespace verbatim::transcript
