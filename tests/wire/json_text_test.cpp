#include "wire/json_text.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <random>
#include <string>

#include "wire/json.hpp"
#include "wire/scanner.hpp"
#include "wire/utc_text.hpp"

using namespace hakuriver;
using namespace hakuriver::wire;

TEST_CASE("base64 has the test vectors of RFC 4648") {
  for (const auto& [bytes, text] : {std::pair{"", ""},
                                    {"f", "Zg=="},
                                    {"fo", "Zm8="},
                                    {"foo", "Zm9v"},
                                    {"foob", "Zm9vYg=="},
                                    {"fooba", "Zm9vYmE="},
                                    {"foobar", "Zm9vYmFy"}}) {
    CHECK(to_base64(bytes) == text);
    CHECK(*from_base64(text) == bytes);
  }
  for (const auto* bad : {"Zg=", "Zg", "Z===", "Zg==Zg==", "Z g=", "Zm9v\n", "====", "Zm-v"}) {
    CAPTURE(bad);
    CHECK(from_base64(bad).has_value() == false);
  }
}

TEST_CASE("any bytes survive as text, and both readers agree") {
  std::mt19937 random(7);
  for (int round = 0; round < 2'000; ++round) {
    std::string bytes(random() % 20, '\0');
    const bool ascii = round % 2 == 0;
    for (char& c : bytes) c = static_cast<char>(random() % (ascii ? 128 : 256));
    std::string text;
    append_text(text, bytes);
    Scanner in(text, "text");
    CHECK(in.text() == bytes);
    CHECK(in.status().has_value());
    CHECK(nlohmann::json::accept(text));
    std::string replaced;
    append_text(replaced, bytes, NotUtf8::replace);
    CHECK(nlohmann::json::parse(replaced).is_string());
    CHECK(to_utf8(bytes) == nlohmann::json::parse(replaced).get<std::string>());
    if (is_utf8(bytes)) CHECK(nlohmann::json::parse(text).get<std::string>() == bytes);
  }
}

TEST_CASE("UTF-8 is judged as nlohmann judges it") {
  std::mt19937 random(11);
  const unsigned char edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF,
                                 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes(1 + random() % 6, 'a');
    for (char& c : bytes) c = static_cast<char>(edges[random() % sizeof edges]);
    bool valid = true;
    try {
      (void)nlohmann::json(bytes).dump();
    } catch (const nlohmann::json::exception&) {
      valid = false;
    }
    CHECK(is_utf8(bytes) == valid);
  }
}

TEST_CASE("numbers are written as people write them") {
  for (const auto& [thousandths, text] : {std::pair{0ULL, "0"},
                                          {1ULL, "0.001"},
                                          {500ULL, "0.5"},
                                          {1000ULL, "1"},
                                          {1250ULL, "1.25"},
                                          {1000000000ULL, "1000000"}}) {
    std::string out;
    append_thousandths(out, thousandths);
    CHECK(out == text);
  }
  std::string out;
  append_decimal(out, std::numeric_limits<double>::infinity());
  CHECK(out == "null");
}

TEST_CASE("a time is read back as it was written") {
  for (const std::int64_t microseconds :
       {1LL, 1'744'977'600'123'456LL, 253'402'300'799'999'999LL, -62'135'596'800'000'000LL}) {
    CHECK(parse_iso8601(to_iso8601({microseconds}))->microseconds == microseconds);
  }
  CHECK(parse_iso8601("2025-04-18T12:00:00Z")->microseconds == 1'744'977'600'000'000);
  CHECK(parse_iso8601("2025-04-18T12:00:00.5Z")->microseconds == 1'744'977'600'500'000);
  for (const auto* bad :
       {"", "2025", "2025-04-18 12:00:00Z", "2025-02-30T12:00:00Z", "2025-04-18T24:00:00Z", "2025-04-18T12:00:00",
        "2025-04-18T12:00:00.Z", "2025-04-18T12:00:00+02:00", "2025-04-18T12:00:00Zx", "2025-13-18T12:00:00Z"}) {
    CAPTURE(bad);
    CHECK(!parse_iso8601(bad));
  }
}
