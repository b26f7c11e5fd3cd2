#include "wire/json.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "wire/object_reader.hpp"

using namespace hakuriver;
using namespace hakuriver::wire;

TEST_CASE("JSON within its bounds is what nlohmann makes of it") {
  for (const auto* text : {"null", "[]", "{}", "[1,-2,3.5,\"x\",true,null,[{}],{\"a\":{\"b\":[]}}]",
                           "18446744073709551615", "-9223372036854775808", "1e300"}) {
    CAPTURE(text);
    const auto value = parse_json(text);
    REQUIRE(value);
    CHECK(*value == nlohmann::json::parse(text));
  }
}

TEST_CASE("JSON beyond its bounds, or read one way by some and another way by others, is one line of error") {
  struct Row {
    std::string text;
    Errc code;
    std::string message;
  };
  for (const auto& row : std::vector<Row>{
           {"", Errc::parse, "not JSON at byte 1"},
           {"[1,", Errc::parse, "not JSON at byte 4"},
           {"{\"a\":1} x", Errc::parse, "not JSON at byte 9"},
           {"[\"\xff\"]", Errc::parse, "not JSON at byte 3"},
           {"{\"a\":1,\"a\":2}", Errc::parse, "'a' stands twice in one object"},
           {"18446744073709551616", Errc::limit, "the number 18446744073709551616 is too large"},
           {"1e999", Errc::parse, "not JSON at byte 5"},
           {std::string(65, '['), Errc::limit, "JSON with more than 64 levels"},
           {std::string(1'000'000, '['), Errc::limit, "JSON with more than 64 levels"},
           {"[" + std::string(9 << 20, ' ') + "]", Errc::limit, "JSON of 9437186 bytes: expected at most 8388608"}}) {
    CAPTURE(row.text.substr(0, 40));
    const auto value = parse_json(row.text);
    REQUIRE(!value);
    CHECK(value.error() == Error{row.code, row.message});
  }
  CHECK(parse_json("[1,2,3]", {.values = 3}).error().message == "JSON with more than 3 values");
  CHECK(parse_json(std::string(64, '[') + std::string(64, ']')));
}

TEST_CASE("getters name the field, what was expected and what was given") {
  const auto json = parse_json(
      R"({"cores":"x","flag":1,"text":[],"list":["a",7],"big":70000,"minus":-1,"id":"0","name":{"base64":"!"}})");
  REQUIRE(json);
  InvalidInput errors;
  ObjectReader in(*json, errors);
  CHECK(in.whole("cores", 5, 0, 1000000) == 5);
  CHECK(in.flag("flag", true));
  CHECK(in.text("text", "t") == "");
  CHECK(in.texts("list", 9).size() == 2);
  CHECK(in.whole("big", 1, 0, 65535) == 1);
  CHECK(in.whole("minus", 1, 0, 65535) == 1);
  CHECK(in.id("id") == 0);
  in.text("name");
  in.require("missing");
  CHECK(in.whole("absent", 3, 0, 9) == 3);
  CHECK(
      errors.body() ==
      R"({"detail":[{"loc":["body","cores"],"msg":"must be a whole number from 0 to 1000000, not \"x\"","type":"int_type"},)"
      R"({"loc":["body","flag"],"msg":"must be true or false, not 1","type":"bool_type"},)"
      R"({"loc":["body","text"],"msg":"must be text, not an array","type":"string_type"},)"
      R"({"loc":["body","list",1],"msg":"must be text, not 7","type":"string_type"},)"
      R"({"loc":["body","big"],"msg":"must be a whole number from 0 to 65535, not 70000","type":"int_type"},)"
      R"({"loc":["body","minus"],"msg":"must be a whole number from 0 to 65535, not -1","type":"int_type"},)"
      R"({"loc":["body","id"],"msg":"must be an id, not \"0\"","type":"int_type"},)"
      R"({"loc":["body","name"],"msg":"must hold base64, not \"!\"","type":"value_error"},)"
      R"({"loc":["body","missing"],"msg":"is required","type":"missing"}]})");
  CHECK(errors.error() == Error{Errc::parse, "'cores' must be a whole number from 0 to 1000000, not \"x\""});
}

TEST_CASE("cores are read in thousandths, as number or text") {
  struct Row {
    std::string json;
    std::uint64_t millicores;
  };
  constexpr std::uint64_t kBad = 77;
  for (const auto& row : std::vector<Row>{{"0", 0},
                                          {"1", 1000},
                                          {"1.5", 1500},
                                          {"0.001", 1},
                                          {"0.1", 100},
                                          {"\"2.25\"", 2250},
                                          {"1000000", 1000000000},
                                          {"1000001", kBad},
                                          {"-1", kBad},
                                          {"-0.5", kBad},
                                          {"0.0001", kBad},
                                          {"1e300", kBad},
                                          {"true", kBad},
                                          {"[]", kBad},
                                          {"\"x\"", kBad}}) {
    CAPTURE(row.json);
    const auto json = parse_json("{\"cores\":" + row.json + "}");
    InvalidInput errors;
    ObjectReader in(*json, errors);
    CHECK(in.millicores("cores", kBad) == row.millicores);
    CHECK(errors.empty() == (row.millicores != kBad));
  }
}
