#include "platform/identity.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

using namespace hakuriver;

TEST_CASE("the host name has no domain") {
  const auto name = platform::host_name();
  REQUIRE(name);
  CHECK(!name->empty());
  CHECK(name->find('.') == std::string::npos);
}

TEST_CASE("the boot id is 32 hex digits and stays the same") {
  const auto id = platform::boot_id();
  REQUIRE(id);
  CHECK(id->size() == 32);
  CHECK(id->find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(*platform::boot_id() == *id);
}

TEST_CASE("the directory of the running program holds this test") {
  const auto directory = platform::executable_directory();
  REQUIRE(directory);
  CHECK(std::filesystem::exists(*directory + "/test_platform"));
}

TEST_CASE("addresses of the loopback net are told from others") {
  for (const std::string text : {"127.0.0.1", "127.1.2.3", "127.255.255.255", "::1", "0:0::1", "::ffff:127.0.0.1"}) {
    CAPTURE(text);
    CHECK(platform::is_loopback_address(text));
    CHECK(platform::is_own_address(text));
  }
  for (const std::string text : {"", "localhost", "128.0.0.1", "0.0.0.0", "::", "::2", "10.0.0.1", "127.0.0",
                                 "127.0.0.1 ", "::ffff:10.0.0.1", "1.2.3.4.5", "127.0.0.1:80", "::ffff:::1"}) {
    CAPTURE(text);
    CHECK(!platform::is_loopback_address(text));
  }
}

TEST_CASE("every address of an interface is this machine's, and others are not") {
  const auto addresses = platform::own_addresses();
  REQUIRE(addresses);
  CHECK(std::find(addresses->begin(), addresses->end(), "127.0.0.1") != addresses->end());
  for (const auto& address : *addresses) {
    CAPTURE(address);
    CHECK(platform::is_own_address(address));
  }
  // Reserved for documentation (RFC 5737, RFC 3849): nobody has them.
  CHECK(!platform::is_own_address("192.0.2.1"));
  CHECK(!platform::is_own_address("2001:db8::1"));
  CHECK(!platform::is_own_address("node1"));
}
