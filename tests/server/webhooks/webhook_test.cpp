// Webhook signatures, and the addresses that a webhook may reach.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <string>

#include <catch2/catch.hpp>

#include "server/webhooks/private_address.hpp"
#include "server/webhooks/signature.hpp"

using namespace verbatim;
using namespace verbatim::webhooks;

namespace {

bool is_private(const std::string& address) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  if (inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1)
    return is_private_address(reinterpret_cast<const sockaddr*>(&v4));
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  REQUIRE(inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1);
  return is_private_address(reinterpret_cast<const sockaddr*>(&v6));
}

// Key, id, time, body and signature of the specification's own example.
const std::string signing_key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const std::string signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr std::int64_t time_s = 1614265330;
const std::string body = R"({"test": 2432232314})";

}  // namespace

TEST_CASE("a webhook may not go where only this machine can", "[webhook][P11]") {
  for (const char* address : {"0.0.0.0",
                              "10.0.0.1",
                              "10.255.255.255",
                              "100.64.0.1",
                              "100.127.255.255",
                              "127.0.0.1",
                              "127.255.255.254",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.0.0.8",
                              "192.0.2.1",
                              "192.168.0.1",
                              "198.18.0.1",
                              "198.19.255.255",
                              "198.51.100.1",
                              "203.0.113.1",
                              "224.0.0.1",
                              "239.255.255.255",
                              "240.0.0.1",
                              "255.255.255.255",
                              "::",
                              "::1",
                              "::7f00:1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1",
                              "64:ff9b::10.0.0.1",
                              "64:ff9b:1::1",
                              "2002:7f00:1::",
                              "2002:a9fe:a9fe::1",
                              "2001::1",
                              "2001:2::1",
                              "2001:20::1",
                              "2001:db8::1",
                              "3fff::1",
                              "3fff:fff::1",
                              "100::1",
                              "fc00::1",
                              "fd12:3456::1",
                              "fe80::1",
                              "fec0::1",
                              "ff02::1"}) {
    INFO(address);
    CHECK(is_private(address));
  }
}

TEST_CASE("a webhook may go to any public address, also to one beside a private network",
          "[webhook]") {
  for (const char* address : {"1.1.1.1",
                              "9.255.255.255",
                              "11.0.0.0",
                              "100.63.255.255",
                              "100.128.0.0",
                              "126.255.255.255",
                              "128.0.0.0",
                              "169.253.255.255",
                              "169.255.0.0",
                              "172.15.255.255",
                              "172.32.0.0",
                              "192.167.255.255",
                              "192.169.0.0",
                              "198.17.255.255",
                              "198.20.0.0",
                              "223.255.255.255",
                              "::ffff:8.8.8.8",
                              "64:ff9b::8.8.8.8",
                              "2002:808:808::1",
                              "2001:200::1",
                              "2001:4860:4860::8888",
                              "2606:4700:4700::1111",
                              "3ffe::1"}) {
    INFO(address);
    CHECK_FALSE(is_private(address));
  }
  sockaddr other{};
  other.sa_family = AF_UNIX;
  CHECK(is_private_address(&other));
}

TEST_CASE("a webhook is signed as Standard Webhooks say", "[webhook]") {
  CHECK(webhook_signature(signing_key, id, time_s, body) == signature);
  CHECK(webhook_signature(signing_key + "\n", id, time_s, body) == signature);
}

TEST_CASE("each secret signs, in the order of the file", "[webhook]") {
  const std::string other = "whsec_" + std::string(32, 'A');
  const std::string with_other = webhook_signature(other, id, time_s, body);
  CHECK(with_other != signature);
  CHECK(webhook_signature(other + "\n" + signing_key + "\n", id, time_s, body) ==
        with_other + " " + signature);
  CHECK(webhook_signature(signing_key + "\r\n\r\n" + other, id, time_s, body) ==
        signature + " " + with_other);
}

TEST_CASE("a signature is of the id, the time and the body", "[webhook]") {
  CHECK(webhook_signature(signing_key, id + "x", time_s, body) != signature);
  CHECK(webhook_signature(signing_key, id, time_s + 1, body) != signature);
  CHECK(webhook_signature(signing_key, id, time_s, body + " ") != signature);
}
