#include "server/api/requests/client_secret.hpp"

#include <utility>

#include "base/ids.hpp"
#include "base/json/view.hpp"
#include "base/json/writer.hpp"
#include "server/api/requests/instruction_templates.hpp"
#include "server/api/requests/session.hpp"
#include "server/relay/access/token_terms.hpp"
#include "session/policy/known_members.hpp"
#include "session/protocol/clients/beta_shapes.hpp"

namespace verbatim::requests {

using verbatim::json::Members;
using verbatim::json::View;

namespace {

/// The provider names a session's members and adds new ones, so unknown names pass. A name that
/// looks like one of ours is in the wrong place: there it would have no effect.
std::optional<std::string> wrong_in_session(View session) {
  for (Members members(session); members.next();) {
    const std::string name = policy::member_name(members);
    for (const char* ours : {"verbatim", "expires_after"}) {
      if (!policy::is_misspelt(name, ours)) continue;
      return "'session." + policy::shown_name(name) + "' is not a member of a session; '" + ours +
             "' belongs beside 'session'.";
    }
  }
  return std::nullopt;
}

std::optional<std::string> wrong_in_verbatim(View verbatim) {
  auto wrong = policy::wrong_member(verbatim, "verbatim.",
                                    {"user", "session_id", "metadata", "private", "template",
                                     "variables", "policy", "limits", "recording"});
  for (Members members(verbatim); members.next() && !wrong;) {
    const std::string name = policy::member_name(members);
    if (name == "policy")
      wrong = policy::wrong_member(members.value(), "verbatim.policy.",
                                   {"client_events", "locked", "hide"});
    if (name == "limits")
      wrong = policy::wrong_member(members.value(), "verbatim.limits.",
                                   {"max_duration", "idle_timeout", "audio_seconds", "tokens"});
  }
  return wrong;
}

/// The fault of `verbatim.template` or `verbatim.variables`; empty if there is none.
std::string fill_template(const Json& extra,
                          const std::vector<config::InstructionTemplate>& templates,
                          ClientSecretRequest& request) {
  const auto named = extra.find("template");
  const Json variables = extra.value("variables", Json::object());
  if (!variables.is_object()) return "'verbatim.variables' must be an object.";
  if (named == extra.end()) {
    return variables.empty() ? ""
                             : "'verbatim.variables' is accepted only with 'verbatim.template'.";
  }
  if (!named->is_string()) return "'verbatim.template' must be a string.";
  if (request.session.contains("instructions")) {
    return "'session.instructions' and 'verbatim.template' exclude each other: send one of them.";
  }
  auto made = instructions_of(templates, named->get<std::string>(), variables);
  if (!made) return "'" + made.error().place + "' " + made.error().why + ".";
  request.instructions = *std::move(made);
  return {};
}

/// The fault of a member's name: a misspelt policy would have no effect.
std::optional<std::string> wrong_names(std::string_view body) {
  const auto asked = View::of(body);
  if (auto wrong = policy::wrong_member(asked, "", {"session", "verbatim", "expires_after"}))
    return wrong;
  for (Members members(asked); members.next();) {
    const std::string name = policy::member_name(members);
    const View value = members.value();
    std::optional<std::string> wrong;
    if (name == "session") wrong = wrong_in_session(value);
    if (name == "verbatim") wrong = wrong_in_verbatim(value);
    if (name == "expires_after")
      wrong = policy::wrong_member(value, "expires_after.", {"anchor", "seconds"});
    if (wrong) return wrong;
  }
  return std::nullopt;
}

net::Refusal wrong(const std::string& detail) {
  return net::Refusal(net::openai_error(400, "invalid_value", detail));
}

/// The body as a tree whose members all have names that are known.
net::Result<Json> read_tree(std::string_view body) {
  const auto not_json = [](const std::string& why) {
    return net::Refusal(net::openai_error(400, "invalid_json", "The body is not JSON" + why + "."));
  };
  // The session's own check first, because the session sends this text on later. It bounds the
  // depth, which a tree needs: it is copied and written by recursion.
  if (const auto fault = verbatim::json::check(body)) {
    return not_json(", at byte " + std::to_string(fault->offset) + ": " + std::string(fault->what));
  }
  Json asked = Json::parse(body, nullptr, false);
  if (asked.is_discarded())
    return not_json(": it contains an incomplete character, or a number that is too large");
  if (!asked.is_object()) return wrong("The body must be a JSON object.");
  if (const auto names = wrong_names(body))
    return net::Refusal(net::openai_error(400, "unknown_parameter", *names));
  return asked;
}

// Each of these reads its part of the body into the request, or refuses it.

net::Result<void> take_session(const Json& asked, const Json& extra, ClientSecretRequest& request) {
  request.session = asked.value("session", Json::object());
  if (!request.session.is_object()) return wrong("'session' must be an object.");
  if (!extra.is_object()) return wrong("'verbatim' must be an object.");
  if (const auto type = request.session.find("type");
      type != request.session.end() && *type != "realtime" && *type != "transcription") {
    return wrong("'session.type' must be 'realtime' or 'transcription'.");
  }
  return {};
}

net::Result<void> take_metadata(const Json& extra, ClientSecretRequest& request) {
  request.metadata = extra.value("metadata", Json::object());
  if (!request.metadata.is_object()) return wrong("'verbatim.metadata' must be an object.");
  request.private_metadata = extra.value("private", Json::object());
  if (!request.private_metadata.is_object()) return wrong("'verbatim.private' must be an object.");
  for (const auto& [name, part] :
       {std::pair("metadata", &request.metadata), {"private", &request.private_metadata}}) {
    if (part->dump().size() > metadata_bytes_max)
      return net::Refusal(net::openai_error(413, "too_large",
                                            "'verbatim." + std::string(name) + "' has more than " +
                                                std::to_string(metadata_bytes_max) + " bytes."));
  }
  return {};
}

net::Result<void> take_owner(const Json& extra, ClientSecretRequest& request) {
  for (const char* key : {"user", "session_id"}) {
    if (extra.contains(key) && !extra[key].is_string()) {
      return wrong("'verbatim.user' and 'verbatim.session_id' must be strings.");
    }
    // A back end's variable that is not set must not make a token with more rights than intended.
    if (extra.contains(key) && extra[key].get_ref<const std::string&>().empty())
      return wrong("'verbatim." + std::string(key) + "' is empty: leave it out, or give a value.");
  }
  if (extra.contains("user")) request.user = extra["user"].get<std::string>();
  request.session_id = extra.value("session_id", std::string());
  if (!request.session_id.empty() && !is_valid_session_id(request.session_id)) {
    return wrong("'verbatim.session_id' must be 1 to 128 letters, digits, '_', '-', '.', ':'.");
  }
  return {};
}

net::Result<void> take_terms(const Json& extra, const config::Settings& settings,
                             ClientSecretRequest& request) {
  auto terms = access::read_terms(extra, settings);
  if (!terms) return wrong("'" + terms.error().place + "' " + terms.error().why + ".");
  request.terms = *std::move(terms);
  if (auto problem = fill_template(extra, settings.policy.templates, request); !problem.empty()) {
    return wrong(problem);
  }
  return {};
}

net::Result<void> take_lifetime(const Json& asked, const config::Auth& settings,
                                ClientSecretRequest& request) {
  const auto after = asked.find("expires_after");
  if (after == asked.end()) return {};
  if (!after->is_object() || !after->contains("seconds") ||
      !(*after)["seconds"].is_number_integer()) {
    return wrong("'expires_after' must be {\"anchor\":\"created_at\",\"seconds\":N}.");
  }
  if (after->value("anchor", Json("created_at")) != "created_at") {
    return wrong("'expires_after.anchor' must be 'created_at'.");
  }
  request.seconds = (*after)["seconds"].get<std::int64_t>();
  const std::int64_t longest = settings.token_ttl_max.count() / 1000;
  if (request.seconds < 10 || request.seconds > longest) {
    return wrong("'expires_after.seconds' must be from 10 to " + std::to_string(longest) +
                 " (auth.token_ttl_max).");
  }
  return {};
}

}  // namespace

std::string ClientSecretRequest::model() const {
  const auto named = session.find("model");
  return named != session.end() && named->is_string() ? named->get<std::string>() : std::string();
}

std::string ClientSecretRequest::configuration() const {
  if (session.empty() && instructions.empty()) return {};
  Json update = session;
  update.erase("model");  // the provider refuses it in an update
  if (!instructions.empty()) update["instructions"] = instructions;
  return update.dump();
}

net::Result<ClientSecretRequest> read_client_secret_request(std::string_view body,
                                                            const config::Settings& settings) {
  ClientSecretRequest request;
  request.seconds = settings.auth.token_ttl.count() / 1000;
  if (body.empty()) return request;
  auto asked = read_tree(body);
  if (!asked) return net::Refusal(std::move(asked).error());
  const Json extra = asked->value("verbatim", Json::object());
  auto taken = take_session(*asked, extra, request)
                   .and_then([&] { return take_metadata(extra, request); })
                   .and_then([&] { return take_owner(extra, request); })
                   .and_then([&] { return take_terms(extra, settings, request); })
                   .and_then([&] { return take_lifetime(*asked, settings.auth, request); });
  if (!taken) return net::Refusal(std::move(taken).error());
  return request;
}

net::Result<ClientSecretRequest> read_beta_session_request(std::string_view body,
                                                           const config::Settings& settings) {
  const auto asked = View::of(body);
  // The reader of the other form reports the fault.
  if (verbatim::json::check(body) || !asked.is(verbatim::json::Kind::object)) {
    return read_client_secret_request(body, settings);
  }
  verbatim::json::ObjectWriter flat;
  verbatim::json::ObjectWriter form;
  int ours = 0;
  for (Members own(asked); own.next();) {
    const std::string name = policy::member_name(own);
    if (name == "verbatim" && ++ours > 1)
      return net::Refusal(
          net::openai_error(400, "unknown_parameter", "'verbatim' is given twice."));
    if (name == "client_secret") {
      const auto names = policy::wrong_member(own.value(), "client_secret.",
                                              {"expires_after", "value", "expires_at"});
      if (names) return net::Refusal(net::openai_error(400, "unknown_parameter", *names));
    }
    (name == "verbatim" ? form : flat).add(own.key(), own.value().raw());
  }
  const std::string session = flat.text();
  form.add("session", protocol::beta::ga_session(View::of(session)));
  if (const auto life = asked["client_secret"]["expires_after"]; life.exists()) {
    form.add("expires_after", life.raw());
  }
  return read_client_secret_request(form.text(), settings);
}

}  // namespace verbatim::requests
