// The statements of a batch. Every one may be repeated, and none replaces newer rows with older
// ones. Rows of a session that another relay has taken over are left out. So are those of a session
// that was erased, until this relay has confirmed that it has no copy of it: only then may it have
// made the session again.
#pragma once

#include "server/fleet/shipping/database_names.hpp"

namespace verbatim::shipping::sql {

// Only the home of a session erases it in the database, and leaves a tombstone there. The copy of a
// node that has lost the session may go by that node's own retention. No other node may follow
// that. A session without a row, and one whose home is this node by a claim alone, may be erased
// here. The batch's guard undoes the erasure of a node that was fenced meanwhile.
inline constexpr Statement erase_note{"", R"sql(
INSERT INTO erased (session, node_id)
SELECT n.id, $2::text::uuid FROM unnest($1) AS n (id)
LEFT JOIN session AS made ON made.id = n.id
WHERE CASE
  WHEN made.id IS NOT NULL THEN made.node_id = $2::text::uuid
  ELSE NOT EXISTS (SELECT 1 FROM erased WHERE erased.session = n.id) AND
       NOT EXISTS (SELECT 1 FROM claim WHERE claim.session = n.id AND
                   claim.node_id <> $2::text::uuid)
  END
ON CONFLICT (session) DO UPDATE SET node_id = excluded.node_id, at = excluded.at)sql"};
/// A session that was made and erased again: what nodes have confirmed was about the earlier one.
inline constexpr Statement erase_again{"", R"sql(
DELETE FROM erased_on USING erased
WHERE erased_on.session = ANY ($1) AND erased.session = erased_on.session AND
      erased.node_id = $2::text::uuid AND erased.at = now())sql"};
inline constexpr Statement erase_rows[] = {
    {"", R"sql(
DELETE FROM delivery USING message
WHERE delivery.message = message.id AND message.session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = message.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM message WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = message.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM event WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = event.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM turn WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = turn.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM tool_call WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = tool_call.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM copy WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = copy.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM tail WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = tail.session AND node_id <> $2::text::uuid))sql"},
    {"", R"sql(
DELETE FROM attempt WHERE session = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE id = attempt.session AND node_id <> $2::text::uuid))sql"},
    {"", "DELETE FROM session WHERE id = ANY ($1) AND node_id = $2::text::uuid"},
};
/// This node has no copy of the session any more.
inline constexpr Statement erase_lost{
    "", "DELETE FROM lost WHERE session = ANY ($1) AND node_id = $2::text::uuid"};
inline constexpr Statement erase_confirm{"", R"sql(
INSERT INTO erased_on (session, node_id)
SELECT erased.session, $2::text::uuid FROM erased WHERE erased.session = ANY ($1)
ON CONFLICT DO NOTHING)sql"};

inline constexpr Statement sessions{"sessions",
                                    R"sql(
INSERT INTO session AS old
  (id, user_name, metadata, private, created_at, idempotency, request, tokens, node_id)
SELECT n.id, n.user_name, n.metadata, n.private, n.created_at, n.idempotency, n.request,
       string_to_array(n.tokens, ','), $9::text::uuid
FROM unnest($1, $2, $3, $4, $5, $6, $7, $8)
  AS n (id, user_name, metadata, private, created_at, idempotency, request, tokens)
WHERE NOT EXISTS
  (SELECT 1 FROM erased WHERE erased.session = n.id AND NOT EXISTS
   (SELECT 1 FROM erased_on WHERE erased_on.session = n.id AND
    erased_on.node_id = $9::text::uuid))
ON CONFLICT (id) DO UPDATE SET
  user_name = excluded.user_name, metadata = excluded.metadata, private = excluded.private,
  idempotency = excluded.idempotency, request = excluded.request, tokens = excluded.tokens
WHERE old.node_id = excluded.node_id)sql"};

inline constexpr Statement attempts{"attempts",
                                    R"sql(
INSERT INTO attempt AS old
  (session, number, status, started_at, ended_at, close_reason, model, complete, gaps, usage,
   suspended_at, settings, copies, copy_turns, copy_bytes, merged_turns, merged_complete,
   node_id, owner)
SELECT n.*, $18::text::uuid, $19
FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
  AS n (session, number, status, started_at, ended_at, close_reason, model, complete, gaps, usage,
        suspended_at, settings, copies, copy_turns, copy_bytes, merged_turns, merged_complete)
WHERE NOT EXISTS
  (SELECT 1 FROM erased WHERE erased.session = n.session AND NOT EXISTS
   (SELECT 1 FROM erased_on WHERE erased_on.session = n.session AND
    erased_on.node_id = $18::text::uuid))
  AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = n.session AND session.node_id <> $18::text::uuid)
ON CONFLICT (session, number) DO UPDATE SET
  status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at,
  close_reason = excluded.close_reason, model = excluded.model, complete = excluded.complete,
  gaps = excluded.gaps, usage = excluded.usage, suspended_at = excluded.suspended_at,
  settings = excluded.settings, copies = excluded.copies, copy_turns = excluded.copy_turns,
  copy_bytes = excluded.copy_bytes, merged_turns = excluded.merged_turns,
  merged_complete = excluded.merged_complete, owner = excluded.owner
WHERE old.node_id = excluded.node_id AND (old.ended_at IS NULL OR excluded.ended_at IS NOT NULL)
)sql"};

// A session's home decides about the tokens that were made for it.
inline constexpr Statement tokens_gone{"", R"sql(
DELETE FROM client_secret WHERE id = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = client_secret.session AND
   session.node_id <> $2::text::uuid))sql"};
/// A revocation stays. A token without a session is one whose session was erased by its relay.
inline constexpr Statement tokens{"tokens",
                                  R"sql(
INSERT INTO client_secret AS old
  (id, user_name, session, session_open, session_config, terms, private, created_at, expires_at,
   revoked_at, made_by, revocation_seen)
SELECT n.*, CASE WHEN n.revoked_at IS NOT NULL THEN now() END
FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
  AS n (id, user_name, session, session_open, session_config, terms, private, created_at,
        expires_at, revoked_at, made_by)
ON CONFLICT (id) DO UPDATE SET
  user_name = excluded.user_name, session = excluded.session,
  session_open = excluded.session_open, session_config = excluded.session_config,
  terms = excluded.terms, private = excluded.private, expires_at = excluded.expires_at,
  revoked_at = coalesce(old.revoked_at, excluded.revoked_at), made_by = excluded.made_by,
  revocation_seen = coalesce(old.revocation_seen, excluded.revocation_seen)
WHERE NOT (excluded.session = '' AND EXISTS
  (SELECT 1 FROM session WHERE session.id = old.session AND
   session.node_id <> $12::text::uuid)))sql"};

inline constexpr Statement events{"events",
                                  R"sql(
INSERT INTO event (session, attempt, incarnation, seq, at, body)
SELECT n.session, n.attempt, $6, n.seq, n.at, n.body
FROM unnest($1, $2, $3, $4, $5) AS n (session, attempt, seq, at, body)
ON CONFLICT DO NOTHING)sql"};
/// Events whose session was erased or whose attempt is another relay's: not wanted here.
inline constexpr Statement foreign_events{"foreign_events",
                                          R"sql(
DELETE FROM event USING unnest($1, $2) AS n (session, number)
WHERE event.session = n.session AND event.attempt = n.number AND event.incarnation = $4
  AND (EXISTS (SELECT 1 FROM erased WHERE erased.session = n.session AND NOT EXISTS
               (SELECT 1 FROM erased_on WHERE erased_on.session = n.session AND
                erased_on.node_id = $3::text::uuid)) OR
       EXISTS (SELECT 1 FROM session WHERE session.id = n.session AND
               session.node_id <> $3::text::uuid) OR
       EXISTS (SELECT 1 FROM attempt WHERE attempt.session = n.session AND
               attempt.number = n.number AND attempt.node_id <> $3::text::uuid)))sql"};

inline constexpr Statement turns{"turns",
                                 R"sql(
INSERT INTO turn
  (session, attempt, item_id, ordinal, role, status, text, heard_ms, heard_text, reason, deleted,
   response_id, started_at, ended_at, audio_ms)
SELECT n.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
  AS n (session, attempt, item_id, ordinal, role, status, text, heard_ms, heard_text, reason,
        deleted, response_id, started_at, ended_at, audio_ms)
WHERE NOT EXISTS
  (SELECT 1 FROM erased WHERE erased.session = n.session AND NOT EXISTS
   (SELECT 1 FROM erased_on WHERE erased_on.session = n.session AND
    erased_on.node_id = $16::text::uuid))
  AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = n.session AND session.node_id <> $16::text::uuid)
  AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.session = n.session AND
                  attempt.number = n.attempt AND attempt.node_id <> $16::text::uuid)
ON CONFLICT (session, attempt, item_id) DO UPDATE SET
  ordinal = excluded.ordinal, role = excluded.role, status = excluded.status,
  text = excluded.text, heard_ms = excluded.heard_ms, heard_text = excluded.heard_text,
  reason = excluded.reason, deleted = excluded.deleted, response_id = excluded.response_id,
  started_at = excluded.started_at, ended_at = excluded.ended_at,
  audio_ms = excluded.audio_ms)sql"};

inline constexpr Statement tool_calls{"tool_calls",
                                      R"sql(
INSERT INTO tool_call
  (session, attempt, number, after, item_id, call_id, kind, status, name, server, arguments,
   output, error, approval, deleted, response_id, started_at, ended_at)
SELECT n.* FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                       $18)
  AS n (session, attempt, number, after, item_id, call_id, kind, status, name, server, arguments,
        output, error, approval, deleted, response_id, started_at, ended_at)
WHERE EXISTS (SELECT 1 FROM attempt WHERE attempt.session = n.session AND
              attempt.number = n.attempt AND attempt.node_id = $19::text::uuid)
ON CONFLICT DO NOTHING)sql"};

/// A copy of a session that another relay has taken over is left to that one.
inline constexpr Statement copies{"copies",
                                  R"sql(
INSERT INTO copy (session, attempt, writer, digest, posted_at, body, untaken)
SELECT n.*, EXISTS (SELECT 1 FROM session WHERE session.id = n.session AND
                    session.node_id <> $7::text::uuid)
FROM unnest($1, $2, $3, $4, $5, $6) AS n (session, attempt, writer, digest, posted_at, body)
WHERE NOT EXISTS
  (SELECT 1 FROM erased WHERE erased.session = n.session AND NOT EXISTS
   (SELECT 1 FROM erased_on WHERE erased_on.session = n.session AND
    erased_on.node_id = $7::text::uuid))
ON CONFLICT DO NOTHING)sql"};

inline constexpr Statement deliveries_gone{"deliveries_gone",
                                           R"sql(
DELETE FROM delivery WHERE message = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM message JOIN session ON session.id = message.session
   WHERE message.id = delivery.message AND session.node_id <> $2::text::uuid))sql"};
inline constexpr Statement messages_gone{"", R"sql(
DELETE FROM message WHERE id = ANY ($1) AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = message.session AND
   session.node_id <> $2::text::uuid))sql"};
inline constexpr Statement messages{"messages",
                                    R"sql(
INSERT INTO message (id, session, attempt, kind, item_id, created_at, done_at, node_id)
SELECT n.*, $8::text::uuid FROM unnest($1, $2, $3, $4, $5, $6, $7)
  AS n (id, session, attempt, kind, item_id, created_at, done_at)
WHERE NOT EXISTS
  (SELECT 1 FROM erased WHERE erased.session = n.session AND NOT EXISTS
   (SELECT 1 FROM erased_on WHERE erased_on.session = n.session AND
    erased_on.node_id = $8::text::uuid))
  AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = n.session AND session.node_id <> $8::text::uuid)
ON CONFLICT (id) DO UPDATE SET done_at = excluded.done_at)sql"};
inline constexpr Statement deliveries{"deliveries",
                                      R"sql(
INSERT INTO delivery (message, target, state, tries, refusals, due_at, last_error)
SELECT n.* FROM unnest($1, $2, $3, $4, $5, $6, $7)
  AS n (message, target, state, tries, refusals, due_at, last_error)
WHERE EXISTS (SELECT 1 FROM message WHERE message.id = n.message AND NOT EXISTS
  (SELECT 1 FROM session WHERE session.id = message.session AND
   session.node_id <> $8::text::uuid))
ON CONFLICT DO NOTHING)sql"};

// The turns and tool calls of an attempt that has ended replace what is there.
inline constexpr Statement record_turns_gone{"record_turns_gone",
                                             R"sql(
DELETE FROM turn USING unnest($1, $2) AS n (session, number), attempt
WHERE turn.session = n.session AND turn.attempt = n.number AND
      attempt.session = n.session AND attempt.number = n.number AND
      attempt.node_id = $3::text::uuid)sql"};
inline constexpr Statement record_calls_gone{"record_calls_gone",
                                             R"sql(
DELETE FROM tool_call USING unnest($1, $2) AS n (session, number), attempt
WHERE tool_call.session = n.session AND tool_call.attempt = n.number AND
      attempt.session = n.session AND attempt.number = n.number AND
      attempt.node_id = $3::text::uuid)sql"};
inline constexpr Statement record_events_gone{"record_events_gone",
                                              R"sql(
DELETE FROM event USING unnest($1, $2) AS n (session, number), attempt
WHERE event.session = n.session AND event.attempt = n.number AND
      attempt.session = n.session AND attempt.number = n.number AND
      attempt.node_id = $3::text::uuid AND attempt.ended_at IS NOT NULL)sql"};

/// Null in `shipped`, which is NOT NULL, undoes the batch: the relay was fenced, or an earlier
/// batch is missing.
inline constexpr Statement guard{"guard",
                                 R"sql(
UPDATE node SET
  shipped = CASE WHEN alive AND node_id = $6::text::uuid AND shipped >= $1
                 THEN greatest(shipped, $2) END,
  run = $3,
  lag_ms = $7,
  lease_until = now() + $4 * interval '1 millisecond'
WHERE incarnation = $5
RETURNING current_setting('synchronous_commit'),
          current_setting('synchronous_standby_names'))sql"};

/// The relay leaves: everything is shipped, and its sessions may be taken at once.
inline constexpr Statement leave{"",
                                 "UPDATE node SET alive = false, fenced_by = incarnation, "
                                 "lease_until = now() WHERE incarnation = $1 AND alive"};

}  // namespace verbatim::shipping::sql
