// The content of a secret's file or variable, and the file's permissions.
#include "config/secrets.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "config/settings.hpp"
#include "config/values.hpp"
#include "tests/config/errors.hpp"

namespace verbatim::config {
namespace {

using Catch::Contains;

class SecretFile {
 public:
  explicit SecretFile(const std::string& content = "sk-abcdefgh12345678\n", mode_t mode = 0600) {
    std::string name = (std::filesystem::temp_directory_path() / "verbatim-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = name;
    std::ofstream(path()) << content;
    chmod(mode);
  }
  ~SecretFile() { std::filesystem::remove_all(directory_); }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;

  std::filesystem::path path() const { return directory_ / "secret"; }
  void chmod(mode_t mode) const { ::chmod(path().c_str(), mode); }
  std::filesystem::path link(const std::string& name) const {
    std::filesystem::create_symlink(path(), directory_ / name);
    return directory_ / name;
  }

 private:
  std::filesystem::path directory_;
};

std::string key_in(const std::string& content) {
  const SecretFile file(content);
  return load({{}, {"upstream.api_key_file=" + file.path().string()}, {}})
      .upstream.api_key.reveal();
}

std::string refusal_in(const std::string& content) {
  const SecretFile file(content);
  return error_of({{}, {"upstream.api_key_file=" + file.path().string()}, {}});
}

std::vector<std::string> warnings_of(const std::string& assignment) {
  return load({{}, {assignment}, {}}).warnings;
}

}  // namespace

TEST_CASE("a line break at the end of a secret's file is not part of it", "[config][secrets]") {
  for (const char* end : {"", "\n", "\r\n", "\n\n", "\r\n\r\n"})
    CHECK(key_in("sk-abcdefgh12345678" + std::string(end)) == "sk-abcdefgh12345678");
}

TEST_CASE("a byte order mark in a secret's file is refused", "[config][secrets]") {
  for (const char* mark : {"\xEF\xBB\xBF", "\xFF\xFE", "\xFE\xFF"})
    CHECK_THAT(refusal_in(mark + std::string("sk-abcdefgh12345678\n")), Contains("BOM"));
}

TEST_CASE("a space in a secret is refused at any position", "[config][secrets]") {
  for (const char* blank : {" ", "\xC2\xA0", "\xE2\x80\x8B", "\xE2\x80\xAF", "\xE3\x80\x80"}) {
    for (const std::string& text :
         {blank + std::string("sk-abcdefgh"), std::string("sk-abcdefgh") + blank,
          std::string("sk-abcd") + blank + "efgh1234"}) {
      CHECK_THAT(refusal_in(text + "\n"), Contains("blank character"));
    }
  }
  CHECK_THAT(refusal_in("sk-abcdefgh \n\n"), Contains("blank character"));
  CHECK_FALSE(refusal_in("sk-abcd\tefgh").empty());
  CHECK_FALSE(refusal_in("sk-abcdefgh\nsk-another-one").empty());
}

TEST_CASE("quotes around a secret are refused, in a file and in a variable", "[config][secrets]") {
  for (const std::string text :
       {"\"sk-abcdefgh12345678\"", "'sk-abcdefgh12345678'", "\"sk-abcdefgh12345678",
        "sk-abcdefgh12345678'", "\xE2\x80\x9Csk-abcdefgh12345678\xE2\x80\x9D"}) {
    CHECK_THAT(refusal_in(text), Contains("quote"));
    for (const char* variable :
         {"OPENAI_API_KEY", "VERBATIM_UPSTREAM_API_KEY", "VERBATIM_AUTH_TOKEN_SECRET"})
      CHECK_THAT(error_of({{}, {}, {variable + ("=" + text)}}), Contains("quote"));
  }
  CHECK(key_in("sk-abc\"d'efgh1234") == "sk-abc\"d'efgh1234");
}

TEST_CASE("each line of a webhook's secrets is looked at", "[config][secrets]") {
  const auto refusal = [](const std::string& content) {
    const SecretFile file(content);
    return error_of({{},
                     {"webhook.targets=[{url='https://a.example/h', secret_file='" +
                      file.path().string() + "'}]"},
                     {}});
  };
  CHECK(refusal("whsec_abcdefgh\nwhsec_ijklmnop\n").empty());
  CHECK(refusal("whsec_abcdefgh\r\nwhsec_ijklmnop\r\n").empty());
  CHECK_THAT(refusal("whsec_abcdefgh \nwhsec_ijklmnop\n"), Contains("blank"));
  CHECK_THAT(refusal("whsec_abcdefgh\n\"whsec_ijklmnop\"\n"), Contains("quote"));
}

TEST_CASE("recording.key_file has keys, one a line, and nothing else", "[config][secrets][P10]") {
  const std::string one(64, 'a');
  const std::string other(64, '7');
  const auto keys_in = [](const std::string& content) {
    const SecretFile file(content);
    return load({{}, {"recording.key_file=" + file.path().string()}, {}}).recording.key.reveal();
  };
  CHECK(keys_in(one + "\n") == one);
  CHECK(keys_in(one + "\r\n" + other + "\n") == one + "\r\n" + other);
  for (const std::string& wrong :
       {std::string("a-word-of-more-than-eight-letters"), one.substr(1), one + "a",
        one + "\n" + other.substr(1), one + "\n\n" + other, std::string(64, 'g')}) {
    const SecretFile file(wrong);
    const std::string refusal = error_of({{}, {"recording.key_file=" + file.path().string()}, {}});
    CHECK_THAT(refusal, Contains("recording.key_file") && Contains("64 hexadecimal digits"));
    CHECK_THAT(refusal, !Contains(wrong.substr(0, 20)));
  }
  // A command's own variable is not taken for a misspelt setting.
  CHECK(error_of({{}, {}, {"VERBATIM_API_KEY=vk_1"}}).empty());
}

TEST_CASE("a refused secret is not repeated", "[config][secrets][P10]") {
  for (const char* text : {"\"sk-planted\"", " sk-planted", "\xEF\xBB\xBFsk-planted"})
    CHECK_THAT(refusal_in(text), !Contains("planted"));
}

TEST_CASE("a secret's file that others may read or change is warned of", "[config][secrets]") {
  const SecretFile file;
  const std::string assignment = "upstream.api_key_file=" + file.path().string();
  for (const mode_t mode : {0600, 0400, 0640, 0440}) {
    file.chmod(mode);
    CHECK(warnings_of(assignment).empty());
  }
  for (const mode_t mode : {0644, 0604, 0622, 0666, 0660, 0444}) {
    file.chmod(mode);
    const auto warnings = warnings_of(assignment);
    REQUIRE(warnings.size() == 1);
    CHECK_THAT(warnings[0], Contains("upstream.api_key_file") && Contains("mode"));
    CHECK_THAT(warnings[0], !Contains(file.path().string()) && !Contains("sk-abc"));
  }
}

TEST_CASE("of a link it is the target that counts", "[config][secrets]") {
  const SecretFile file;
  const std::filesystem::path link = file.link("link");
  CHECK(load({{}, {"upstream.api_key_file=" + link.string()}, {}}).upstream.api_key.reveal() ==
        "sk-abcdefgh12345678");
  CHECK(secret_file_warning(link).empty());
  file.chmod(0644);
  CHECK_THAT(secret_file_warning(link), Contains("644"));
}

TEST_CASE("a private key's file and a webhook's are warned of, too", "[config][secrets]") {
  const SecretFile file("whsec_abcdefgh\n", 0644);
  const std::string path = file.path().string();
  CHECK(load({{}, {"tls.cert_file=/c", "tls.key_file=" + path}, {}}).warnings.size() == 1);
  CHECK(warnings_of("webhook.targets=[{url='https://a.example/h', secret_file='" + path + "'}]")
            .size() == 1);
  // A value that another one replaces causes no warning.
  CHECK(load({{}, {"auth.token_secret_file=" + path, "auth.token_secret_file=" + path}, {}})
            .warnings.size() == 1);
}

TEST_CASE("a provider that is reached in clear text on another machine is warned of",
          "[config][secrets]") {
  const auto warnings = [](const std::string& url, const std::string& key) {
    std::vector<std::string> environment;
    if (!key.empty()) environment.push_back("OPENAI_API_KEY=" + key);
    return load({{}, {"upstream.url=" + url}, environment}).warnings;
  };
  const std::string key = "sk-abcdefgh12345678";
  for (const char* url :
       {"ws://models.example/v1/realtime", "ws://192.0.2.7:8000/v1", "WS://Models.Example",
        "ws://[2001:db8::1]:80/", "ws://127.0.0.1.example/", "ws://localhost.example/"}) {
    const auto found = warnings(url, key);
    REQUIRE(found.size() == 1);
    CHECK_THAT(found[0], Contains("upstream.url") && Contains("provider's key") &&
                             Contains("wss://") && !Contains(key));
    const auto keyless = warnings(url, "");
    REQUIRE(keyless.size() == 1);
    CHECK_THAT(keyless[0], Contains("sends conversations") && !Contains("key"));
  }
  for (const char* url :
       {"wss://models.example/v1/realtime", "ws://127.0.0.1:8000/", "ws://localhost/",
        "ws://LOCALHOST:1/", "ws://[::1]:9/", "ws://127.9.9.9/", ""})
    CHECK(warnings(url, key).empty());
}

}  // namespace verbatim::config
