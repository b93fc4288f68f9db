#include "session/policy/lock_judge.hpp"

#include <algorithm>
#include <utility>

#include "base/json/outline.hpp"
#include "base/json/plain_name.hpp"
#include "base/json/tree.hpp"
#include "session/policy/outline_values.hpp"
#include "session/protocol/envelope.hpp"

namespace verbatim::policy {
namespace {

using json::Kind;
using json::Outline;
using Index = Outline::Index;

/// The roles of the two speakers. Content of any other role acts as an instruction.
bool is_speaker(std::string_view role) { return role == "user" || role == "assistant"; }

/// Members that every event of both protocols may have.
bool is_of_every_event(std::string_view name) { return name == "type" || name == "event_id"; }

/// A word such as an enum value or an id: it can be neither an instruction nor JSON.
bool is_word(std::string_view text) {
  constexpr std::size_t bytes_max = 64;
  return text.size() <= bytes_max && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  std::string_view("_-.:/+=@,").find(c) != std::string_view::npos;
         });
}

/// True if an author, kind or sender of this value is the system or a developer.
bool names_other_speaker(std::string_view word) {
  const std::string fold = folded(word);
  return fold.find("system") != fold.npos || fold.find("developer") != fold.npos;
}

bool may_be_json(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin != text.npos && (text[begin] == '{' || text[begin] == '[' || text[begin] == '"');
}

/// Quotes client input in an answer: at most 256 bytes, all but printable ASCII replaced by '?'.
std::string printable(std::string text) {
  constexpr std::size_t bytes_max = 256;
  if (text.size() > bytes_max) text.resize(bytes_max);
  for (char& c : text)
    if (c < ' ' || c > '~') c = '?';
  return text;
}

class Judge {
 public:
  Judge(const Locks& locks, std::string_view message, MessageLimits limits,
        const std::function<Json()>& has)
      : locks_(locks),
        bytes_(message),
        message_(message, limits),
        limits_(limits),
        guards_instructions_(locks.fields.touches("instructions")),
        ask_(has) {}

  /// `known`: null for an event type that only the configuration allows.
  std::optional<protocol::Refusal> judge(const protocol::KnownMembers* known) {
    if (message_.fault() != Outline::Fault::none) {
      unreadable();
    } else if (known == nullptr) {
      beside_protocol();
    } else {
      event(*known);
    }
    return std::move(refused_);
  }

 private:
  /// The current place of a walk. Paths end with a dot, or are empty.
  struct Location {
    std::string written;      ///< as the client wrote it, for answers
    std::string field = {};   ///< path in the session object, folded
    bool of_session = false;  ///< in a session, or in a response's own settings
    bool of_response = false;
  };

  // ---- Walks: each returns false at the first refusal ----

  bool event(protocol::KnownMembers known) {
    for (Index i = Outline::first(0); i < message_.end(0); i = message_.end(i)) {
      const std::string name = message_.name(i);
      const protocol::KnownMember* one = protocol::find(known, name);
      if (is_of_every_event(name)) {
        if (!names_inside(i, name)) return false;
      } else if (one == nullptr) {
        if (!beside_envelope(i, name)) return false;
      } else if (name == "session" || name == "response") {
        if (!change(i, *one)) return false;
      } else if (name == "item") {
        if (!message_.is(i, Kind::object)) return no_object(name);
        if (!speaker(i, name, "item.role") || !item(i, name + '.')) return false;
      } else if (!value(i, *one, {name + '.'})) {
        return false;
      }
    }
    return true;
  }

  /// An event of which only the type is known, from the configuration.
  bool beside_protocol() {
    for (Index i = Outline::first(0); i < message_.end(0); i = message_.end(i)) {
      const std::string name = message_.name(i);
      if (!is_of_every_event(name) && !plain_and_harmless(name, name)) return false;
      if (!names_inside(i, name, Texts::any)) return false;
    }
    return true;
  }

  bool beside_envelope(Index i, const std::string& name) {
    if (!is_plain_name(name) || folded(name) == "type") return ambiguous(name);
    if (locks_.fields.touches(name)) return locked_field(name);
    return unknown(i, name, {});
  }

  bool change(Index body, const protocol::KnownMember& known) {
    const std::string place(known.name);
    const bool of_response = place == "response";
    if (of_response && message_.is(body, Kind::null)) return true;
    if (!message_.is(body, Kind::object)) return no_object(place);
    if (of_response && !input(body)) return false;
    const auto wrong =
        locks_.fields.wrong_in(message_, body, of_response, [this] { return has(); });
    if (wrong) {
      const std::string path = place + '.' + wrong->path;
      return wrong->kind == LockedFields::Wrong::Kind::ambiguous ? ambiguous(path)
                                                                 : locked_field(path);
    }
    return members(body, known.inside, {place + '.', {}, true, of_response});
  }

  bool members(Index object, protocol::KnownMembers known, const Location& place) {
    for (Index i = Outline::first(object); i < message_.end(object); i = message_.end(i)) {
      const std::string name = message_.name(i);
      if (member(i, name, known, place)) continue;
      if (!place.of_session || !is_as_it_is(i, place, name)) return false;
      refused_.reset();
    }
    return true;
  }

  /// An item whose type lists its members.
  bool item(Index item, const std::string& place) {
    const std::string type = type_of(item);
    for (Index i = Outline::first(item); i < message_.end(item); i = message_.end(i)) {
      const std::string name = message_.name(i);
      if (!is_plain_name(name)) return ambiguous(place + name);
      const protocol::KnownMember* one = locks_.places.find_in_item(type, name);
      // Some clients write all members of all types, with null for those that the item does not
      // have.
      if (one == nullptr && message_.is(i, Kind::null) && locks_.places.is_item_member(name))
        continue;
      if (one == nullptr ? !unknown(i, name, {place}) : !value(i, *one, {place + name + '.'}))
        return false;
    }
    return true;
  }

  std::string type_of(Index item) const {
    for (Index i = Outline::first(item); i < message_.end(item); i = message_.end(i))
      if (message_.name(i) == "type") return message_.text(i);
    return {};
  }

  bool member(Index i, const std::string& name, protocol::KnownMembers known,
              const Location& place) {
    if (!is_plain_name(name)) return ambiguous(place.written + name);
    const protocol::KnownMember* one = protocol::find(known, name);
    if (!place.of_session) {
      return one == nullptr ? unknown(i, name, place)
                            : value(i, *one, {place.written + name + '.'});
    }
    const std::string field = place.field + folded(name);
    if (locks_.fields.judges(field, place.of_response)) return true;
    const bool holds_locked = message_.is(i, Kind::object) && locks_.fields.touches(field);
    if (one == nullptr && !holds_locked) return unknown(i, name, place);
    const Location inside{place.written + name + '.', field + '.', true, place.of_response};
    // Locked fields in a member unknown to the protocol are already checked; its other parts are
    // not.
    return one == nullptr ? members(i, {}, inside) : value(i, *one, inside);
  }

  /// A member of the protocol. `inside`: the place of its own members.
  bool value(Index value, const protocol::KnownMember& known, const Location& inside) {
    if (known.holds == protocol::Holds::free && !message_.is(value, Kind::array)) return true;
    if (known.holds == protocol::Holds::frees && message_.is(value, Kind::array)) return true;
    if (known.holds == protocol::Holds::members && message_.is(value, Kind::object))
      return members(value, known.inside, inside);
    if ((known.holds == protocol::Holds::list || known.holds == protocol::Holds::items) &&
        message_.is(value, Kind::array)) {
      for (Index i = Outline::first(value); i < message_.end(value); i = message_.end(i))
        if (!element(i, known, inside.written)) return false;
      return true;
    }
    return names_inside(value, inside.written.substr(0, inside.written.size() - 1));
  }

  bool element(Index value, const protocol::KnownMember& list, const std::string& place) {
    if (!message_.is(value, Kind::object)) return names_inside(value, place);
    return list.holds == protocol::Holds::items ? item(value, place)
                                                : members(value, list.inside, {place});
  }

  /// A member that the protocol does not have in this place.
  bool unknown(Index value, const std::string& name, const Location& place) {
    const std::string path = place.written + name;
    return plain_and_harmless(name, path) && names_inside(value, path) && texts_inside(value, path);
  }

  /// True if the value equals the one that the provider showed: some clients send the whole session
  /// back.
  bool is_as_it_is(Index value, const Location& place, const std::string& name) {
    const std::size_t envelope = place.written.find('.') + 1;
    const Json* now = value_at(has(), place.written.substr(envelope) + name);
    return now != nullptr && equal(message_, value, *now);
  }

  enum class Texts : std::uint8_t { harmless, any };

  /// Checks all names and texts in an object or array with no known parts. Direct elements of an
  /// array may be any text. `Texts::any`: texts are not checked.
  bool names_inside(Index value, const std::string& path, Texts texts = Texts::harmless) {
    Index next = Outline::first(value);
    for (Index i = next; i < message_.end(value); ++i) {
      const bool direct = i == next;
      if (direct) next = message_.end(i);
      if (message_.has_name(i)) {
        const std::string name = message_.name(i);
        if (!plain_and_harmless(name, path + '.' + name)) return false;
      } else if (direct) {
        continue;
      }
      if (texts == Texts::harmless && !harmless_text(i, path)) return false;
    }
    return true;
  }

  bool texts_inside(Index value, const std::string& path) {
    for (Index i = value; i < message_.end(value); ++i)
      if (!harmless_text(i, path)) return false;
    return true;
  }

  bool harmless_text(Index value, const std::string& path) {
    if (!message_.is(value, Kind::string)) return true;
    const std::string text = message_.text(value);
    const bool harmless =
        guards_instructions_ ? is_word(text) && !names_other_speaker(text) : !may_be_json(text);
    return harmless || text_where_none(path);
  }

  bool plain_and_harmless(const std::string& name, const std::string& path) {
    if (!is_plain_name(name)) return ambiguous(path);
    switch (locks_.words.meaning(folded(name))) {
      case LockedWords::Meaning::field:
        return locked_field(path);
      case LockedWords::Meaning::envelope:
        return ambiguous(path);
      default:
        return true;
    }
  }

  // ---- Roles ----

  bool input(Index response) {
    if (!guards_instructions_) return true;
    const std::string place = "response.input";
    for (Index i = Outline::first(response); i < message_.end(response); i = message_.end(i)) {
      if (message_.name(i) != "input" || message_.is(i, Kind::null)) continue;
      if (!message_.is(i, Kind::array))
        return refuse("invalid_value", "'" + place + "' must be an array.", place);
      for (Index one = Outline::first(i); one < message_.end(i); one = message_.end(one)) {
        if (!message_.is(one, Kind::object)) return no_object(place + "[]");
        if (!speaker(one, place, place)) return false;
      }
    }
    return true;
  }

  struct Speaker {
    std::optional<Index> role;
    bool says = true;  ///< it is a message; an item without a type counts as one
  };

  /// Content in the system's role acts as an instruction.
  bool speaker(Index item, const std::string& place, const std::string& param) {
    if (!guards_instructions_) return true;
    Speaker found;
    for (Index i = Outline::first(item); i < message_.end(item); i = message_.end(i))
      if (!member_of_speaker(i, place, found)) return false;
    if (found.role && (found.says || !message_.is(*found.role, Kind::null)))
      return is_speaker(message_.text(*found.role)) || locked_field(param);
    return !found.says || role_missing(param);
  }

  bool member_of_speaker(Index i, const std::string& item, Speaker& found) {
    const std::string name = message_.name(i);
    const std::string fold = folded(name);
    const std::string place = item + '.' + name;
    if (!is_plain_name(name) || ((fold == "role" || fold == "type") && fold != name))
      return ambiguous(place);
    if (fold == "instructions" || fold == "prompt") return locked_field(place);
    if (name == "role") found.role = i;
    if (name == "type") {
      const std::string type = message_.text(i);
      if (!locks_.places.is_item_type(type)) return type_unknown(place);
      found.says = found.says && type == "message";
    }
    return name != "content" || content(i, place);
  }

  bool content(Index content, const std::string& place) {
    if (message_.is(content, Kind::object))
      return refuse("invalid_value", "'" + place + "' must be an array.", place);
    for (Index i = Outline::first(content); i < message_.end(content); i = message_.end(i)) {
      if (!message_.is(i, Kind::object)) continue;
      for (Index j = Outline::first(i); j < message_.end(i); j = message_.end(j))
        if (message_.name(j) == "type" && !is_harmless_part(message_.text(j)))
          return type_unknown(place + ".type");
    }
    return true;
  }

  bool is_harmless_part(const std::string& type) const {
    // A type of the protocol names no field, although it consists of the same words.
    if (locks_.places.is_part_type(type)) return true;
    return locks_.places.may_be_part_type(type) &&
           locks_.words.meaning(folded(type)) != LockedWords::Meaning::field;
  }

  // ---- Answers ----

  bool unreadable() {
    switch (message_.fault()) {
      case Outline::Fault::too_many:
        refused_ = protocol::too_many_values(limits_.values_max, protocol::named_event_id(bytes_));
        return false;
      case Outline::Fault::too_deep:
        return refuse("message_too_complex",
                      "The message is nested more than " + std::to_string(limits_.depth_max) +
                          " levels deep (policy.depth_max). Send a flatter message.",
                      {});
      default:
        return refuse("invalid_value",
                      "Parsers may read the message differently: a name occurs twice in an object, "
                      "or a string has half a surrogate pair. Write each name once.",
                      {});
    }
  }

  bool ambiguous(const std::string& name) {
    const std::string shown = printable(name);
    return refuse("invalid_value",
                  "The name '" + shown +
                      "' is ambiguous: parsers may read it differently. Write the protocol's "
                      "names exactly, in their own place.",
                  shown);
  }

  bool text_where_none(const std::string& name) {
    const std::string shown = printable(name);
    return refuse("invalid_value",
                  "The protocol has no '" + shown +
                      "'. In a session with fixed fields, it may hold only numbers and single "
                      "words.",
                  shown);
  }

  bool type_unknown(const std::string& name) {
    return refuse(
        "invalid_value",
        "'" + name +
            "' must be one of the protocol's types, because the session's instructions are fixed.",
        name);
  }

  bool role_missing(const std::string& param) {
    return refuse(
        "invalid_value",
        "The session's instructions are fixed, so each message must have a role: 'user' or "
        "'assistant'.",
        param);
  }

  bool no_object(const std::string& place) {
    return refuse("invalid_value", "'" + place + "' must be an object.", place);
  }

  bool locked_field(const std::string& param) {
    const std::string shown = printable(param);
    return refuse("field_locked",
                  "'" + shown +
                      "' is fixed for this session and was not changed. Leave it out, or send "
                      "its present value.",
                  shown);
  }

  bool refuse(std::string code, std::string what, std::string param) {
    refused_ = protocol::Refusal{std::move(code), std::move(what), std::move(param),
                                 protocol::named_event_id(bytes_)};
    return false;
  }

  const Json& has() {
    if (!has_) has_ = ask_();
    return *has_;
  }

  const Locks& locks_;
  std::string_view bytes_;
  const Outline message_;
  const MessageLimits limits_;
  const bool guards_instructions_;
  const std::function<Json()>& ask_;
  std::optional<Json> has_;
  std::optional<protocol::Refusal> refused_;
};

/// True if the event has only texts and numbers where its type has them. Audio passes without a
/// second check.
bool is_plain_event(std::string_view message, protocol::KnownMembers known) {
  if (!std::all_of(known.begin(), known.end(), [](const protocol::KnownMember& one) {
        return one.holds == protocol::Holds::value;
      }))
    return false;
  for (auto members = json::Members::begun(message); members.next();) {
    const Kind kind = members.value().kind();
    if (kind == Kind::object || kind == Kind::array) return false;
    if (!is_of_every_event(members.key()) && protocol::find(known, members.key()) == nullptr)
      return false;
  }
  return true;
}

}  // namespace

std::optional<protocol::Refusal> refuse_locked(const Locks& locks, std::string_view type,
                                               std::string_view message, MessageLimits limits,
                                               const std::function<Json()>& has) {
  const protocol::KnownMembers* known = locks.places.members_of_event(type);
  if (known != nullptr && is_plain_event(message, *known)) return std::nullopt;
  return Judge(locks, message, limits, has).judge(known);
}

}  // namespace verbatim::policy
