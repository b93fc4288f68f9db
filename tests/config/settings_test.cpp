// How a configuration is put together, and the messages about errors in it.
#include "config/settings.hpp"
#include "base/json/tree.hpp"
#include "tests/config/errors.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace verbatim::config {
namespace {

using namespace std::chrono_literals;
using Catch::Contains;

/// A directory for each test; the destructor removes it.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "verbatim-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = name;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

Settings from_toml(const std::string& text) {
  const Directory directory;
  return load({directory.write("test.toml", text), {}, {}});
}

std::string error_in(const std::string& text) {
  const Directory directory;
  return error_of({directory.write("test.toml", text), {}, {}});
}

Settings from_set(const std::string& assignment) { return load({{}, {assignment}, {}}); }
std::string error_of_set(const std::string& assignment) { return error_of({{}, {assignment}, {}}); }
Settings from_variable(const std::string& entry) { return load({{}, {}, {entry}}); }
std::string error_of_variable(const std::string& entry) { return error_of({{}, {}, {entry}}); }

const std::string digest(64, 'a');

}  // namespace

TEST_CASE("the environment overrides the file and --set overrides both", "[config]") {
  const Directory directory;
  Sources sources{directory.write("test.toml", "[session]\nidle_timeout = \"1m\"\n"), {}, {}};
  CHECK(load(sources).session.idle_timeout == 1min);
  sources.environment = {"PATH=/bin", "VERBATIM_SESSION_IDLE_TIMEOUT=2m"};
  CHECK(load(sources).session.idle_timeout == 2min);
  sources.assignments = {"session.idle_timeout=3m", "session.idle_timeout=4m"};
  CHECK(load(sources).session.idle_timeout == 4min);
}

TEST_CASE("every kind of value is read from a file", "[config]") {
  const Settings s = from_toml(R"([server]
listen = "[::1]:0"
data_dir = "/srv/verbatim"
allowed_origins = ["https://app.example.com", "http://localhost:3000"]
threads = 3
body_bytes_max = "256KiB"
[tls]
enabled = false
[auth]
api_keys = [{ name = "back end", sha256 = ")" +
                               digest + R"(" }, "sha256:)" + std::string(64, 'B') + R"("]
[upstream]
url = "wss://example.openai.azure.com/openai/v1/realtime?api-version=preview"
auth = "api_key_header"
[journal]
durability = "process"
[storage]
retention = "30d"
[log]
level = "debug"
format = "json"
)");
  CHECK(s.server.listen.host == "::1");
  CHECK(s.server.listen.port == 0);
  CHECK(s.server.data_dir == "/srv/verbatim");
  CHECK(s.server.allowed_origins ==
        std::vector<std::string>{"https://app.example.com", "http://localhost:3000"});
  CHECK(s.server.threads == 3);
  CHECK(s.server.body_bytes_max == 256 * 1024);
  CHECK_FALSE(s.tls.enabled);
  REQUIRE(s.auth.api_keys.size() == 2);
  CHECK(s.auth.api_keys[0].name == "back end");
  CHECK(s.auth.api_keys[0].sha256 == digest);
  CHECK(s.auth.api_keys[1].name == "key-bbbbbbbb");
  CHECK(s.auth.api_keys[1].sha256 == std::string(64, 'b'));
  CHECK(s.upstream.auth == UpstreamAuth::api_key_header);
  CHECK(s.journal.durability == Durability::process);
  CHECK(s.storage.retention == 720h);
  CHECK(s.log.level == LogLevel::debug);
  CHECK(s.log.format == LogFormat::json);
}

TEST_CASE("every kind of value is read from a bare text", "[config]") {
  CHECK(from_set("server.threads=7").server.threads == 7);
  CHECK_FALSE(from_set("tls.enabled=false").tls.enabled);
  CHECK(from_set("server.listen=0.0.0.0:8443").server.listen.host == "0.0.0.0");
  CHECK(from_set("session.resume_window=250ms").session.resume_window == 250ms);
  CHECK(from_set("metrics.listen=127.0.0.1:9100").metrics.listen.port == 9100);
  const std::vector<std::string> origins{"https://a.example", "https://b.example"};
  CHECK(from_set("server.allowed_origins=https://a.example, https://b.example")
            .server.allowed_origins == origins);
  CHECK(from_set("server.allowed_origins=['https://a.example', 'https://b.example']")
            .server.allowed_origins == origins);
  CHECK(from_set("server.allowed_origins=").server.allowed_origins.empty());
  CHECK(from_set("auth.api_keys=sha256:" + digest).auth.api_keys.at(0).sha256 == digest);
  CHECK(from_set("auth.api_keys=[{name='x', sha256='" + digest + "'}]").auth.api_keys.at(0).name ==
        "x");
  CHECK(from_variable("VERBATIM_AUTH_DEVELOPMENT=false").auth.development == false);
  CHECK(from_variable("VERBATIM_CAPTURE_DIR=").capture.dir.empty());
}

TEST_CASE("printed settings can be read again and mean the same", "[config]") {
  const Settings changed =
      load({{},
            {"server.listen=[::1]:9000", "session.idle_timeout=90s", "server.body_bytes_max=1500",
             "auth.api_keys=sha256:" + digest, "server.allowed_origins=https://a.example",
             "log.level=warn", "upstream.model=a \"model\" \\ ü", "metrics.listen=[::1]:9100"},
            {}});
  const Settings again = from_toml(to_toml(changed));
  CHECK(to_toml(again) == to_toml(changed));
  CHECK(to_json(again) == to_json(changed));
  CHECK(again.session.idle_timeout == 90s);
  CHECK(again.server.body_bytes_max == 1500);
  CHECK(again.upstream.model == "a \"model\" \\ ü");
  CHECK(again.metrics.listen.host == "::1");
  CHECK(to_toml(changed) != to_toml(Settings{}));
}

TEST_CASE("an unknown key names its place and the nearest known key", "[config]") {
  CHECK_THAT(
      error_in("[server]\n\n[session]\nidle_timout = \"1m\"\n"),
      Contains("test.toml:4: unknown key session.idle_timout") && Contains("session.idle_timeout"));
  CHECK_THAT(error_in("[sesion]\nidle_timeout = \"1m\"\n"), Contains("session.idle_timeout"));
  CHECK_THAT(error_in("[session]\ndata_dir = \"x\"\n"), Contains("server.data_dir"));
  CHECK_THAT(error_in("threads = 4\n"), Contains("test.toml:1") && Contains("unknown key threads"));
  CHECK_THAT(error_of_set("session.idle=1m"), Contains("--set session.idle: unknown key"));
  CHECK_THAT(error_of_variable("VERBATIM_SESSION_IDLE=1m"),
             Contains("environment variable VERBATIM_SESSION_IDLE: unknown key session.idle"));
  CHECK_THAT(error_of_variable("VERBATIM_SESION_IDLE_TIMEOUT=1m"),
             Contains("session.idle_timeout"));
}

TEST_CASE("variables of others that begin alike are left alone", "[config]") {
  CHECK_NOTHROW(load({{},
                      {},
                      {"VERBATIM_SERVICE_HOST=10.0.0.1", "VERBATIM_PORT=tcp://10.0.0.1:8443",
                       "VERBATIM_PORT_8443_TCP_ADDR=10.0.0.1", "VERBATIM_BIN=/x", "VERBATIM_="}}));
}

TEST_CASE("a bad value names its place, its key and what is accepted", "[config]") {
  CHECK_THAT(error_in("[session]\nidle_timeout = 30\n"),
             Contains("test.toml:2: session.idle_timeout: is not a string") &&
                 Contains("expected a duration from 100ms to 1d"));
  CHECK_THAT(error_in("[server]\nthreads = \"4\"\n"), Contains("a whole number from 0 to 256"));
  CHECK_THAT(error_in("[server]\nthreads = 4.5\n"), Contains("is not a whole number"));
  CHECK_THAT(error_in("[log]\nlevel = \"loud\"\n"), Contains("debug, info, warn, error"));
  CHECK_THAT(error_in("[tls]\nenabled = \"yes\"\n"), Contains("true or false"));
  CHECK_THAT(error_in("server = 1\n"), Contains("[server]"));
  CHECK_THAT(error_in("[server\n"), Contains("test.toml:1"));
  CHECK_THAT(error_in("[server]\nlisten = 1979-05-27\n"), Contains("is not a string"));
  CHECK_THAT(error_of_set("session.idle_timeout=30"), Contains("\"30\" is not a duration"));
  CHECK_THAT(error_of_set("server.threads=many"), Contains("--set server.threads: "));
  CHECK_THAT(error_of_set("server.threads"), Contains("section.key=value"));
  CHECK_THAT(error_of_variable("VERBATIM_SERVER_BODY_BYTES_MAX=1MB"),
             Contains("environment variable VERBATIM_SERVER_BODY_BYTES_MAX") &&
                 Contains("server.body_bytes_max") && Contains("\"1MB\" is not a size"));
  CHECK_THAT(error_of({"/does/not/exist.toml", {}, {}}),
             Contains("/does/not/exist.toml") && Contains("No such file"));
}

TEST_CASE("numbers out of their range are refused", "[config]") {
  for (const char* bad :
       {"server.threads=-1", "server.threads=99999999999999999999", "session.sessions_max=0",
        "session.idle_timeout=99ms", "session.idle_timeout=25h", "journal.batch_rows_max=0",
        "server.header_bytes_max=1", "storage.retention=-1d",
        "session.max_duration=9223372036854775807d", "server.listen=127.0.0.1:65536"}) {
    INFO(bad);
    CHECK(error_of_set(bad) != "");
  }
}

TEST_CASE("addresses and URLs that cannot work are refused", "[config]") {
  for (const char* bad : {"server.listen=8443",
                          "server.listen=:8443",
                          "server.listen=::1:8443",
                          "server.listen=[::1]",
                          "server.listen=[host]:1",
                          "server.listen=a b:1",
                          "server.listen=",
                          "server.listen=a:1:2",
                          "upstream.url=https://api.example.com",
                          "upstream.url=wss://",
                          "upstream.url=api.example.com",
                          "upstream.url=wss://user:pass@api.example.com",
                          "upstream.proxy=socks5://a:1",
                          "upstream.proxy=http://a",
                          "upstream.proxy=http://a:1/x",
                          "server.allowed_origins=https://a.example/",
                          "server.allowed_origins=*",
                          "server.allowed_origins=null",
                          "upstream.model=",
                          "upstream.model_parameter=a&b",
                          "upstream.organization=a\r\nX: y",
                          "upstream.model=\xff",
                          "server.data_dir=",
                          "auth.api_keys=vk_abcdef",
                          "auth.api_keys=sha256:12",
                          "auth.api_keys=[{sha256=1}]",
                          "auth.api_keys=[{key='x'}]",
                          "auth.api_keys=[",
                          "webhook.targets=https://a.example"}) {
    INFO(bad);
    CHECK(error_of_set(bad) != "");
  }
  CHECK(from_set("upstream.proxy=http://proxy.example:3128").upstream.proxy ==
        "http://proxy.example:3128");
}

TEST_CASE("settings that contradict each other are refused", "[config]") {
  CHECK_THAT(error_in("[tls]\ncert_file = \"c.pem\"\n"),
             Contains("test.toml:2: tls.cert_file") && Contains("tls.key_file"));
  CHECK_THAT(error_of_set("tls.key_file=k.pem"),
             Contains("--set tls.key_file") && Contains("tls.cert_file"));
  CHECK_THAT(error_of_set("auth.token_ttl=3h"), Contains("auth.token_ttl_max"));
  CHECK_THAT(error_of_set("metrics.listen=127.0.0.1:8443"), Contains("server.listen"));
  CHECK_THAT(error_of_set("storage.fallback_dir=data"), Contains("server.data_dir"));
}

TEST_CASE("secrets come from a file or the environment", "[P10][config]") {
  const Directory directory;
  const std::string file = directory.write("secret", "from-a-file\n").string();
  CHECK(from_set("auth.token_secret_file=" + file).auth.token_secret.reveal() == "from-a-file");
  CHECK(from_variable("VERBATIM_UPSTREAM_API_KEY_FILE=" + file).upstream.api_key.reveal() ==
        "from-a-file");
  CHECK(from_variable("VERBATIM_AUTH_INTERNAL_SERVICE_KEY=from-the-environment")
            .auth.internal_service_key.reveal() == "from-the-environment");
  for (const auto& environment : std::vector<std::vector<std::string>>{
           {"VERBATIM_UPSTREAM_API_KEY_FILE=" + file, "VERBATIM_UPSTREAM_API_KEY=directly-given"},
           {"VERBATIM_UPSTREAM_API_KEY=directly-given",
            "VERBATIM_UPSTREAM_API_KEY_FILE=" + file}}) {
    CHECK(load({{}, {}, environment}).upstream.api_key.reveal() == "directly-given");
  }
  const auto targets =
      from_set("webhook.targets=[{url='https://a.example/hook', secret_file='" + file + "'}]");
  CHECK(targets.webhook.targets.at(0).secret.reveal() == "from-a-file");
}

TEST_CASE("a webhook target's default name reveals nothing of its path", "[P10][config]") {
  const Directory directory;
  const std::string file = directory.write("secret", "from-a-file\n").string();
  const auto target = [&file](const std::string& more) {
    return "{secret_file='" + file + "', " + more + "}";
  };
  const auto list = [](const std::string& targets) { return "webhook.targets=[" + targets + "]"; };
  const auto settings =
      from_set(list(target("url='https://a.example:8443/T0/planted?key=planted'") + "," +
                    target("url='http://b.example/x', name='crm', allow_private=true")));
  CHECK(settings.webhook.targets.at(0).name == "a.example:8443");
  CHECK(settings.webhook.targets.at(1).name == "crm");
  // Two targets with one name would share their delivery records.
  CHECK_THAT(error_of_set(list(target("url='https://a.example/x'") + "," +
                               target("url='https://a.example/y?z=1'"))),
             Contains("two targets with the name a.example"));
  for (const char* bad : {"url='http://a.example'", "url='https://a.example', name=''",
                          "url='https://a.example', events=['session.begun']",
                          "url='https://a.example', allow_private=1", "name='crm'"}) {
    INFO(bad);
    CHECK(error_of_set(list(target(bad))) != "");
  }
}

TEST_CASE("prices of models are numbers for known kinds of tokens", "[config]") {
  const auto settings = from_set(
      "console.prices=[{model='gpt-realtime', text_input=4, audio_output=64.5}, {model='gpt'}]");
  REQUIRE(settings.console.prices.size() == 2);
  CHECK(settings.console.prices[0].model == "gpt-realtime");
  CHECK(settings.console.prices[0].text_input == 4);
  CHECK(settings.console.prices[0].audio_output == 64.5);
  CHECK(settings.console.prices[0].text_output == 0);
  CHECK(settings.console.currency == "USD");
  for (const char* bad : {"{text_input=4}", "{model='m', text_input='4'}", "'m'",
                          "{model='m', text_input=-1}", "{model='m', video_input=1}"}) {
    INFO(bad);
    CHECK(error_of_set(std::string("console.prices=[") + bad + "]") != "");
  }
}

TEST_CASE("OPENAI_API_KEY is used if no other key is given", "[config]") {
  CHECK(from_variable("OPENAI_API_KEY=sk-openai-key").upstream.api_key.reveal() == "sk-openai-key");
  CHECK(from_variable("OPENAI_API_KEY=").upstream.api_key.empty());
  CHECK(load({{}, {}, {"OPENAI_API_KEY=sk-openai-key", "VERBATIM_UPSTREAM_API_KEY=sk-other-key"}})
            .upstream.api_key.reveal() == "sk-other-key");
}

TEST_CASE("a secret in the wrong place is refused and not repeated", "[P10][config]") {
  const std::string planted = "sk-planted-secret";
  const std::vector<std::string> errors{
      error_of_set("upstream.api_key=" + planted),
      error_of_set("auth.token_secret=" + planted),
      error_of_set("auth.internal_service_key=" + planted),
      error_in("[upstream]\napi_key = \"" + planted + "\"\n"),
      error_of_set("upstream.api_key_file=" + planted),
      error_of_set("auth.api_keys=" + planted),
      error_of_set("webhook.targets=[{url='https://a.example', secret='" + planted + "'}]"),
      error_of_set("upstream.proxy=http://user:" + planted + "@proxy.example:3128"),
      error_of_set("upstream.url=wss://user:" + planted + "@api.example.com"),
      error_of_set(planted),
  };
  for (const std::string& error : errors) {
    CHECK(error != "");
    CHECK_THAT(error, !Contains(planted));
  }
  CHECK_THAT(errors[0], Contains("upstream.api_key_file") && Contains("VERBATIM_UPSTREAM_API_KEY"));
  CHECK_THAT(errors[3], Contains("test.toml:2: upstream.api_key: is not accepted here"));
}

TEST_CASE("a key among the parameters of the provider's URL is not printed", "[P10][config]") {
  const std::string url =
      "wss://a.example/v1?api-version=2&api_key=sk-planted-secret&token=tok-1234";
  const auto settings = load({{}, {"upstream.url=" + url}, {}});
  CHECK(settings.upstream.url == url);
  const std::string shown = to_toml(settings);
  CHECK_THAT(shown, Contains("api-version=2&api_key=***&token=***"));
  CHECK_THAT(shown, !Contains("planted") && !Contains("tok-1234"));
}

TEST_CASE("secrets that cannot be meant are refused", "[config]") {
  const Directory directory;
  for (const char* text : {"", "\n", "short", "with a\ncontrol character"}) {
    const auto file = directory.write("secret", text).string();
    CHECK_THAT(error_of_set("auth.token_secret_file=" + file), Contains("whose content"));
  }
  const auto file = directory.write("secret", std::string(5000, 'x')).string();
  CHECK_THAT(error_of_set("auth.token_secret_file=" + file), Contains("longer"));
  CHECK_THAT(error_of_set("auth.token_secret_file=/does/not/exist"), Contains("No such file"));
}

TEST_CASE("templates are read with their files, and every place has its variable", "[config]") {
  const Directory directory;
  const auto file = directory.write("trainer.txt", "You are {{who}}, level {{level}}.").string();
  const auto of = [&file](const std::string& variables) {
    return "[policy]\ntemplates = [{ name = \"trainer\", file = \"" + file + "\", variables = [" +
           variables + "] }]\n";
  };
  const std::string who = "{ name = \"who\", pattern = \"[a-z]+\" }";
  const std::string level = "{ name = \"level\", type = \"integer\", min = 1, max = 5 }";
  const Settings settings = load({directory.write("test.toml", of(who + ", " + level)), {}, {}});
  const auto& made = settings.policy.templates.at(0);
  CHECK(made.text == "You are {{who}}, level {{level}}.");
  CHECK(made.variables.at(0).length == 200);
  CHECK(made.variables.at(1).max == 5);
  const Settings again = load({directory.write("again.toml", to_toml(settings)), {}, {}});
  CHECK(to_toml(again) == to_toml(settings));

  CHECK_THAT(error_in(of(who)),
             Contains("{{level}}") && Contains("not one of the template's variables"));
  CHECK_THAT(error_in(of(who + ", " + level + ", { name = \"more\" }")),
             Contains("no placeholder"));
  CHECK_THAT(error_in(of(who + ", " + who)), Contains("twice"));
  CHECK_THAT(error_in(of("{ name = \"who\", pattern = \"[\" }")), Contains("pattern"));
  CHECK_THAT(error_in(of("{ name = \"who\", length = 1001 }")), Contains("length"));
  CHECK_THAT(error_in(of("{ name = \"who\", type = \"choice\" }")), Contains("values"));
  CHECK_THAT(error_in(of("{ name = \"who\", type = \"number\" }")),
             Contains("text, integer, choice"));
  CHECK_THAT(error_in("[policy]\ntemplates = [{ name = \"t\", file = \"/does/not/exist\" }]\n"),
             Contains("/does/not/exist"));
}

TEST_CASE("a pattern that cannot be matched in linear time, or is too large, is refused",
          "[config]") {
  for (const char* expression :
       {"(a)\\1", "(?=a)b", "(?<!a)b", "a{1001}", "((a{100}){100}){100}", "[", "(", "a**"}) {
    INFO(expression);
    CHECK_THROWS_AS(Pattern(expression), Pattern::Malformed);
  }
  CHECK_THROWS_AS(Pattern(std::string(1001, 'a')), Pattern::Malformed);
  CHECK(Pattern("([A-Za-z]+ ?)+").matches("Ann Lee"));
}

TEST_CASE("a template whose instructions could grow without bound is refused", "[config][bounds]") {
  const Directory directory;
  const auto places = [&](int count, const std::string& variable) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "{{v}}";
    const auto file = directory.write("many.txt", text).string();
    return "[policy]\ntemplates = [{ name = \"t\", file = \"" + file +
           "\", variables = [{ name = \"v\", " + variable + " }] }]\n";
  };
  const std::string longest = "length = 1000";
  CHECK(
      load({directory.write("fits.toml", places(250, longest)), {}, {}}).policy.templates.size() ==
      1);
  CHECK_THAT(error_in(places(270, longest)), Contains("1MiB"));
  CHECK_THAT(error_in(places(50000, "type = \"integer\"")), Contains("1MiB"));
  const std::string word(1000, 'x');
  CHECK_THAT(error_in(places(2000, "type = \"choice\", values = [\"y\", \"" + word + "\"]")),
             Contains("1MiB"));
  CHECK_THAT(error_in(places(1, "type = \"choice\", values = [\"" + word + "x\"]")),
             Contains("longer than 1000"));
}

TEST_CASE("fields of a policy are paths", "[config]") {
  CHECK(from_set("policy.locked=instructions,audio.output.voice").policy.locked.size() == 2);
  for (const char* bad : {"policy.locked=a..b", "policy.hide=.a", "policy.hide=Tools"})
    CHECK_THAT(error_of_set(bad), Contains("not the path of a field"));
}

TEST_CASE("all that is wrong in all sources is reported at once", "[config]") {
  const Directory directory;
  const auto file = directory.write(
      "test.toml", "[session]\nidle_timeout = 5\nnone = 1\n[tls]\ncert_file = \"c.pem\"\n");
  const std::string error =
      error_of({file, {"server.threads=many", "log.level=warn"}, {"VERBATIM_LOG_FORMAT=xml"}});
  CHECK_THAT(error, Contains("test.toml:2: session.idle_timeout: is not a string"));
  CHECK_THAT(error, Contains("test.toml:3: unknown key session.none"));
  CHECK_THAT(error, Contains("VERBATIM_LOG_FORMAT (log.format): \"xml\" is unknown"));
  CHECK_THAT(error, Contains("--set server.threads: is not a whole number"));
  CHECK_THAT(error, Contains("tls.cert_file: is set without tls.key_file"));
  CHECK(std::count(error.begin(), error.end(), '\n') == 4);
}

TEST_CASE("a rejected value causes no second error about its pair", "[config]") {
  const std::string error = error_of({{}, {"auth.token_ttl=3h", "auth.token_ttl_max=none"}, {}});
  CHECK_THAT(error, Contains("auth.token_ttl_max"));
  CHECK(error.find('\n') == std::string::npos);
}

TEST_CASE("a secret is never printed", "[P10][config]") {
  const std::string planted = "sk-planted-secret";
  const Settings settings = load(
      {{},
       {},
       {"VERBATIM_AUTH_TOKEN_SECRET=" + planted, "VERBATIM_AUTH_INTERNAL_SERVICE_KEY=" + planted,
        "VERBATIM_UPSTREAM_API_KEY=" + planted,
        "VERBATIM_UPSTREAM_PROXY=http://user:" + planted + "@proxy.example:3128",
        "VERBATIM_WEBHOOK_TARGETS=[{url='https://a.example', secret='" + planted + "'}]"}});
  CHECK(settings.upstream.proxy == "http://user:" + planted + "@proxy.example:3128");
  CHECK(settings.webhook.targets.at(0).secret.reveal() == planted);
  CHECK_THAT(to_toml(settings), !Contains(planted) && Contains("# token_secret is set") &&
                                    Contains("http://user:***@proxy.example:3128"));
  const auto json = Json::parse(to_json(settings));
  CHECK_THAT(json.dump(), !Contains(planted));
  CHECK(json.at("upstream").at("api_key") == "***");
  CHECK(Json::parse(to_json(Settings{})).at("upstream").at("api_key").is_null());
}

}  // namespace verbatim::config
