#include "server/fleet/shipping/batch.hpp"

#include <initializer_list>
#include <set>

#include "base/crypto.hpp"
#include "server/fleet/shipping/batch_sql.hpp"

namespace verbatim::shipping {
namespace {

using Element = Array::Element;

/// The arrays of one statement: a column each.
class Columns {
 public:
  explicit Columns(std::initializer_list<Element> types) {
    for (const Element type : types) columns_.emplace_back(type);
  }
  /// One row; its values in the order of the columns.
  template <class... Values>
  void row(const Values&... values) {
    std::size_t at = 0;
    (columns_[at++].add(values), ...);
  }
  bool empty() const { return columns_.front().size() == 0; }
  void add_to(Params& params) const {
    for (const Array& column : columns_) params.add(column);
  }
  Params params() const {
    Params all;
    add_to(all);
    return all;
  }

 private:
  std::vector<Array> columns_;
};

Columns turn_columns() {
  return Columns({Element::text, Element::int4, Element::bytes, Element::int4, Element::int4,
                  Element::int4, Element::bytes, Element::int8, Element::bytes, Element::bytes,
                  Element::boolean, Element::bytes, Element::int8, Element::int8, Element::int8});
}

void add_turn(Columns& to, const store::AttemptName& of, const store::ShippedTurn& turn) {
  to.row(of.session_id, of.number, turn.item_id, turn.ordinal, turn.role, turn.status, turn.text,
         turn.heard_ms, turn.heard_text, turn.reason, turn.deleted, turn.response_id,
         turn.started_at, turn.ended_at, turn.audio_ms);
}

Array texts(const std::vector<std::string>& values) {
  Array list(Element::text);
  for (const std::string& value : values) list.add(value);
  return list;
}

std::string joined(const std::vector<std::string>& ids) {
  std::string all;
  for (const std::string& id : ids) all += (all.empty() ? "" : ",") + id;
  return all;
}

/// Sends the statements of one kind of row, unless there are none.
class Sending {
 public:
  Sending(Connection& to, const Sender& sender, const store::Shipment& shipment)
      : to_(to), sender_(sender), shipment_(shipment) {}

  DatabaseResult<> all() {
    for (const auto step : {&Sending::erased, &Sending::sessions, &Sending::attempts,
                            &Sending::tokens, &Sending::events, &Sending::turns, &Sending::copies,
                            &Sending::messages, &Sending::records})
      if (auto sent = (this->*step)(); !sent) return sent;
    return {};
  }

 private:
  DatabaseResult<> send(std::initializer_list<Statement> statements, const Params& params) {
    for (const Statement& one : statements)
      if (auto sent = to_.send(one, params); !sent) return sent;
    return {};
  }

  /// The rows, if there are any, and the sender's name behind them.
  DatabaseResult<> send_mine(const Statement& statement, const Columns& rows) {
    if (rows.empty()) return {};
    Params params = rows.params();
    params.add_text(sender_.node_id);
    return to_.send(statement, params);
  }

  DatabaseResult<> erased() {
    if (shipment_.erased.empty()) return {};
    Params ids;
    ids.add(texts(shipment_.erased)).add_text(sender_.node_id);
    if (auto noted = send({sql::erase_note, sql::erase_again}, ids); !noted) return noted;
    for (const Statement& one : sql::erase_rows)
      if (auto sent = to_.send(one, ids); !sent) return sent;
    return send({sql::erase_lost, sql::erase_confirm}, ids);
  }

  DatabaseResult<> sessions() {
    if (shipment_.sessions.empty()) return {};
    Columns rows({Element::text, Element::bytes, Element::bytes, Element::bytes, Element::int8,
                  Element::text, Element::text, Element::text});
    for (const store::ShippedSession& one : shipment_.sessions)
      rows.row(one.id, one.user, one.metadata_json, one.private_json, one.created_at,
               one.idempotency, one.request, joined(one.tokens));
    Params params = rows.params();
    params.add_text(sender_.node_id);
    return to_.send(sql::sessions, params);
  }

  DatabaseResult<> attempts() {
    if (shipment_.attempts.empty()) return {};
    Columns rows({Element::text, Element::int4, Element::int4, Element::int8, Element::int8,
                  Element::int4, Element::bytes, Element::boolean, Element::bytes, Element::bytes,
                  Element::int8, Element::bytes, Element::int8, Element::int8, Element::int8,
                  Element::int8, Element::boolean});
    for (const store::ShippedAttempt& one : shipment_.attempts)
      rows.row(one.name.session_id, one.name.number, one.status, one.started_at, one.ended_at,
               one.close_reason, one.model, one.complete, one.gaps_json, one.usage_json,
               one.suspended_at, one.settings_json, one.copies, one.copy_turns, one.copy_bytes,
               one.merged_turns, one.merged_complete);
    Params params = rows.params();
    params.add_text(sender_.node_id).add(sender_.incarnation);
    return to_.send(sql::attempts, params);
  }

  DatabaseResult<> tokens() {
    Columns rows({Element::text, Element::bytes, Element::text, Element::boolean, Element::bytes,
                  Element::bytes, Element::bytes, Element::int8, Element::int8, Element::int8,
                  Element::text});
    std::vector<std::string> gone;
    for (const store::ShippedToken& one : shipment_.tokens) {
      if (one.gone)
        gone.push_back(one.id);
      else
        rows.row(one.id, one.user, one.session_id, one.session_open, one.session_config,
                 one.terms_json, one.private_json, one.created_at, one.expires_at, one.revoked_at,
                 one.made_by);
    }
    if (!gone.empty()) {
      Params ids;
      ids.add(texts(gone)).add_text(sender_.node_id);
      if (auto sent = to_.send(sql::tokens_gone, ids); !sent) return sent;
    }
    return send_mine(sql::tokens, rows);
  }

  DatabaseResult<> events() {
    if (shipment_.events.empty()) return {};
    Columns rows({Element::text, Element::int4, Element::int8, Element::int8, Element::bytes});
    for (const store::ShippedEvent& one : shipment_.events) {
      const store::AttemptName& of = shipment_.attempt_names[one.attempt];
      rows.row(of.session_id, of.number, static_cast<std::int64_t>(one.seq), one.at, one.body);
    }
    Params params = rows.params();
    params.add(sender_.incarnation);
    if (auto sent = to_.send(sql::events, params); !sent) return sent;
    Columns names({Element::text, Element::int4});
    for (const store::AttemptName& one : shipment_.attempt_names)
      names.row(one.session_id, one.number);
    Params of = names.params();
    of.add_text(sender_.node_id).add(sender_.incarnation);
    return to_.send(sql::foreign_events, of);
  }

  DatabaseResult<> turns() {
    if (shipment_.turns.empty()) return {};
    Columns rows = turn_columns();
    for (const store::ShippedSettledTurn& one : shipment_.turns)
      add_turn(rows, one.attempt, one.turn);
    Params params = rows.params();
    params.add_text(sender_.node_id);
    return to_.send(sql::turns, params);
  }

  DatabaseResult<> copies() {
    if (shipment_.copies.empty()) return {};
    Columns rows({Element::text, Element::int4, Element::bytes, Element::bytes, Element::int8,
                  Element::bytes});
    for (const store::ShippedCopy& one : shipment_.copies)
      rows.row(one.attempt.session_id, one.attempt.number, one.writer, sha256(one.body),
               one.posted_at, one.body);
    Params params = rows.params();
    params.add_text(sender_.node_id);
    return to_.send(sql::copies, params);
  }

  DatabaseResult<> messages() {
    if (shipment_.messages.empty()) return {};
    Columns rows({Element::text, Element::text, Element::int4, Element::int4, Element::bytes,
                  Element::int8, Element::int8});
    Columns deliveries({Element::text, Element::text, Element::int4, Element::int4, Element::int4,
                        Element::int8, Element::bytes});
    std::vector<std::string> ids;
    std::vector<std::string> gone;
    for (const store::ShippedMessage& one : shipment_.messages) {
      ids.push_back(one.id);
      if (one.gone) {
        gone.push_back(one.id);
        continue;
      }
      rows.row(one.id, one.attempt.session_id, one.attempt.number, one.kind, one.item_id,
               one.created_at, one.done_at);
      for (const store::ShippedDelivery& each : one.deliveries)
        deliveries.row(one.id, each.target, each.state, each.tries, each.refusals, each.due_at,
                       each.last_error);
    }
    Params all;
    all.add(texts(ids)).add_text(sender_.node_id);
    if (auto sent = to_.send(sql::deliveries_gone, all); !sent) return sent;
    Params left;
    left.add(texts(gone)).add_text(sender_.node_id);
    if (!gone.empty())
      if (auto sent = to_.send(sql::messages_gone, left); !sent) return sent;
    if (rows.empty()) return {};
    Params params = rows.params();
    params.add_text(sender_.node_id);
    if (auto sent = to_.send(sql::messages, params); !sent) return sent;
    return send_mine(sql::deliveries, deliveries);
  }

  DatabaseResult<> records() {
    if (shipment_.records.empty()) return {};
    Columns names({Element::text, Element::int4});
    Columns turns = turn_columns();
    Columns calls({Element::text, Element::int4, Element::int4, Element::int4, Element::bytes,
                   Element::bytes, Element::int4, Element::int4, Element::bytes, Element::bytes,
                   Element::bytes, Element::bytes, Element::bytes, Element::bytes, Element::boolean,
                   Element::bytes, Element::int8, Element::int8});
    for (const store::ShippedRecord& one : shipment_.records) {
      names.row(one.attempt.session_id, one.attempt.number);
      for (const store::ShippedTurn& turn : one.turns) add_turn(turns, one.attempt, turn);
      for (const store::ShippedToolCall& call : one.tool_calls)
        calls.row(one.attempt.session_id, one.attempt.number, call.number, call.after, call.item_id,
                  call.call_id, call.kind, call.status, call.name, call.server, call.arguments,
                  call.output, call.error, call.approval_json, call.deleted, call.response_id,
                  call.started_at, call.ended_at);
    }
    Params of = names.params();
    of.add_text(sender_.node_id);
    if (auto sent =
            send({sql::record_turns_gone, sql::record_calls_gone, sql::record_events_gone}, of);
        !sent)
      return sent;
    if (auto sent = send_mine(sql::turns, turns); !sent) return sent;
    return send_mine(sql::tool_calls, calls);
  }

  Connection& to_;
  const Sender& sender_;
  const store::Shipment& shipment_;
};

}  // namespace

DatabaseResult<> send_rows(Connection& to, const Sender& sender, const store::Shipment& shipment) {
  return Sending(to, sender, shipment).all();
}

DatabaseResult<> send_guard(Connection& to, const Sender& sender, transcript::Sequence after,
                            transcript::Sequence upto) {
  Params params;
  params.add(static_cast<std::int64_t>(after))
      .add(static_cast<std::int64_t>(upto))
      .add_text(sender.run)
      .add(std::int64_t{sender.lease_ttl.count()})
      .add(sender.incarnation)
      .add_text(sender.node_id)
      .add(sender.lag_ms);
  return to.send(sql::guard, params);
}

DatabaseResult<> send_leave(Connection& to, const Sender& sender) {
  Params params;
  params.add(sender.incarnation);
  return to.send(sql::leave, params);
}

}  // namespace verbatim::shipping
