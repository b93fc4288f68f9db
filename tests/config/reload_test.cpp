// A reload takes over the keys that change while running, and names the others.
#include <algorithm>
#include <catch2/catch.hpp>
#include <optional>
#include <set>

#include "config/keys.hpp"
#include "config/settings.hpp"

namespace verbatim::config {
namespace {

/// A value that the key accepts and that is not its default. Null if none of the candidates is.
std::optional<Settings> with_another_value(const Key& key) {
  const Settings defaults;
  // One a line would be long.
  // clang-format off
  const std::vector<Value> candidates = {
      12, 500, 7, 0.5, true, false, "9ms", "600ms", "7s", "11s", "2m", "3h", "96KiB", "12MiB", "300MiB", "7",
      "other", "debug", "before", "go_on", "postgresql://other.example/words", "json", "xai", "flac", "complete", "process", "handover", "on_request", "token", "basic", "/tmp/one", "[::1]:9000",
      "127.0.0.1:9000", "wss://other.example/v1", "http://127.0.0.1:3128", "https://voice.example",
      Value::array({"10.0.0.0/8"}), Value::array({"https://app.example"}),
      Value::array({"instructions"}), Value::array({"response.create"})};
  // clang-format on
  for (const Value& candidate : candidates) {
    Settings changed;
    try {
      key.read(changed, candidate, Source::file);
    } catch (const BadValue&) {
      continue;
    }
    if (!key.same(defaults, changed)) return changed;
  }
  return std::nullopt;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::count(names.begin(), names.end(), name) == 1;
}

}  // namespace

TEST_CASE("a reload takes a key over if it changes while running, and names it otherwise",
          "[config][reload]") {
  const Settings defaults;
  // Their values are lists of tables, or come from files.
  const std::set<std::string> apart = {"auth.api_keys", "console.prices", "policy.templates",
                                       "webhook.targets"};
  for (const Key& key : keys()) {
    if (key.role != Role::plain || apart.contains(key.name)) continue;
    INFO(key.name);
    const auto fresh = with_another_value(key);
    REQUIRE(fresh);
    const Reloaded next = reload(defaults, *fresh);
    const bool live = key.reload == Reload::live;
    CHECK(next.changed.size() + next.need_restart.size() == 1);
    CHECK(has(live ? next.changed : next.need_restart, key.name));
    CHECK(key.same(next.settings, live ? *fresh : defaults));
  }
}

TEST_CASE("a reload takes over keys of back ends and secrets, and names those that changed",
          "[config][reload][P10]") {
  Settings running;
  Settings fresh;
  running.auth.token_secret = Secret("the first secret");
  fresh.auth.token_secret = Secret("the second secret");
  fresh.auth.api_keys = {{"backend", std::string(64, 'a')}};
  const Reloaded next = reload(running, fresh);
  CHECK(next.settings.auth.token_secret.reveal() == "the second secret");
  CHECK(next.settings.auth.api_keys.size() == 1);
  CHECK(has(next.changed, "auth.token_secret"));
  CHECK(has(next.changed, "auth.api_keys"));
  CHECK(next.need_restart.empty());
}

TEST_CASE("the text of an instruction template is read again although its declaration is the same",
          "[config][reload]") {
  Settings running;
  running.policy.templates = {{"tutor", "tutor.txt", "old text", {}}};
  Settings fresh = running;
  fresh.policy.templates.front().text = "new text";
  CHECK(reload(running, fresh).settings.policy.templates.front().text == "new text");
}

TEST_CASE("another URL of a webhook target is taken over and named; another secret is not named",
          "[config][reload]") {
  Settings running;
  running.webhook.targets = {{"billing", "https://one.example", Secret("first"), {}, false}};
  Settings fresh = running;
  fresh.webhook.targets.front().secret = Secret("second");
  const Reloaded secret = reload(running, fresh);
  CHECK(secret.changed.empty());
  CHECK(secret.settings.webhook.targets.front().secret.reveal() == "second");
  fresh.webhook.targets.front().url = "https://two.example";
  const Reloaded url = reload(running, fresh);
  CHECK(has(url.changed, "webhook.targets"));
  CHECK(url.need_restart.empty());
  CHECK(url.settings.webhook.targets.front().url == "https://two.example");
}

TEST_CASE("a reload of the same settings changes nothing", "[config][reload]") {
  const Settings settings;
  const Reloaded next = reload(settings, settings);
  CHECK(next.changed.empty());
  CHECK(next.need_restart.empty());
  CHECK(to_json(next.settings) == to_json(settings));
}

}  // namespace verbatim::config
