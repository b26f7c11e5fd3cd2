#include "wire/submission.hpp"

#include <doctest/doctest.h>

#include <string>
#include <variant>
#include <vector>

using namespace hakuriver;
using namespace hakuriver::wire;

namespace {

SubmitRequest good(Submission submission) {
  const auto* errors = std::get_if<InvalidInput>(&submission);
  REQUIRE_MESSAGE(errors == nullptr, (errors ? errors->body() : std::string{}));
  return *std::get_if<SubmitRequest>(&submission);
}

std::string line(const Submission& submission) {
  const auto* errors = std::get_if<InvalidInput>(&submission);
  return errors ? errors->error().message : "accepted";
}

std::string quoted(std::size_t length) { return "\"" + std::string(length, 'x') + "\""; }

}  // namespace

TEST_CASE("a submission of the seed era is read with that era's defaults") {
  const auto request = good(decode_submit(R"({"command":"true"})"));
  SubmitRequest expected;
  expected.spec.argv = {"true"};
  expected.default_container = expected.default_mounts = expected.default_privileged = true;
  CHECK(request == expected);
}

TEST_CASE("a submission of the seed era is read in full") {
  const auto request = good(decode_submit(
      R"({"command":"echo","arguments":["a b",""],"env_vars":{"B":"2","A":"1=1"},"required_cores":2.5,)"
      R"("required_memory_bytes":1048576,"use_private_network":true,"use_private_pid":true,"targets":["n1","n_2:1"],)"
      R"("container_name":"img","privileged":true,"additional_mounts":["/a:/b:ro"],"required_gpus":[],)"
      R"("task_type":"command","something_else":{"x":1}})"));
  CHECK(request.spec.argv == Argv{"echo", "a b", ""});
  CHECK(request.spec.environment == std::vector<std::pair<std::string, std::string>>{{"A", "1=1"}, {"B", "2"}});
  CHECK(request.spec.resources == Resources{2500, 1048576});
  CHECK(request.spec.private_network);
  CHECK(request.spec.private_pid);
  CHECK(request.targets == std::vector<Target>{{"n1", {}}, {"n_2", 1}});
  CHECK(request.count == 2);
  CHECK(request.spec.container == "img");
  CHECK(request.spec.privileged);
  CHECK(request.spec.mounts == std::vector<std::string>{"/a:/b:ro"});
  CHECK(!request.default_container);
  CHECK(!request.default_mounts);
  CHECK(!request.default_privileged);
}

TEST_CASE("NULL names the node itself, null leaves the container to the host") {
  const auto itself = good(decode_submit(R"({"command":"x","container_name":"NULL"})"));
  CHECK(itself.spec.container.empty());
  CHECK(!itself.default_container);
  const auto left = good(decode_submit(R"({"command":"x","container_name":null,"targets":null,"required_gpus":null})"));
  CHECK(left.spec.container.empty());
  CHECK(left.default_container);
  CHECK(left.count == 1);
  CHECK(good(decode_submit(R"({"command":"x","targets":[]})")).targets.empty());
  CHECK(good(decode_submit(R"({"command":"x","required_cores":0})")).spec.resources.millicores == 0);
}

TEST_CASE("a target that is no text is one error, and the others are judged with it corrected") {
  for (const std::string_view body : {R"({"command":"x","targets":[null]})", R"({"argv":["x"],"targets":["a",7]})"}) {
    const auto submission = body.find("argv") == body.npos ? decode_submit(body) : decode_batch(body);
    const auto* errors = std::get_if<InvalidInput>(&submission);
    REQUIRE(errors != nullptr);
    CHECK(errors->errors().size() == 1);
    CHECK(line(submission).find("must be text") != std::string::npos);
  }
}

TEST_CASE("what cannot be right in a seed era submission is one line per field") {
  struct Row {
    std::string body;
    std::string message;
  };
  for (const auto& row : std::vector<Row>{
           {"", "the body must be a JSON object: not JSON at byte 1"},
           {"[]", "the body must be an object, not an array"},
           {"{}", "'command' is required"},
           {R"({"command":""})", "'command' must not be empty"},
           {R"({"command":7})", "'command' must be text, not 7"},
           {R"({"command":"a\u0000b"})", "'command' must not hold a NUL character"},
           {R"({"command":"x","arguments":"y"})", "'arguments' must be an array of text, not \"y\""},
           {R"({"command":"x","arguments":["a","\u0000"]})", "'arguments[1]' must not hold a NUL character"},
           {R"({"command":"x","arguments":[)" + quoted(131'072) + "]}",
            "'arguments[0]' must have at most 131071 bytes, not 131072"},
           {R"({"command":"x","env_vars":{"":"1"}})",
            "'env_vars.' must have a name that is not empty and holds no '='"},
           {R"({"command":"x","env_vars":{"A=B":"1"}})",
            "'env_vars.A=B' must have a name that is not empty and holds no '='"},
           {R"({"command":"x","env_vars":{"A":1}})", "'env_vars.A' must be text, not 1"},
           {R"({"command":"x","env_vars":{"A":"\u0000"}})", "'env_vars.A' must not hold a NUL character"},
           {R"({"command":"x","env_vars":{"AB":)" + quoted(131'069) + "}}",
            "'env_vars.AB' must have at most 131068 bytes, not 131069"},
           {R"({"command":"x","required_cores":"x"})",
            "'required_cores' must be a number from 0 to 1000000 with at most three decimals, not \"x\""},
           {R"({"command":"x","required_cores":-1})",
            "'required_cores' must be a number from 0 to 1000000 with at most three decimals, not -1"},
           {R"({"command":"x","required_memory_bytes":1.5})",
            "'required_memory_bytes' must be a whole number from 0 to 1152921504606846976, not 1.5"},
           {R"({"command":"x","targets":["n1","n1::0"]})",
            "'targets[1]' must name a target: 'n1::0' is not a target: expected NODE or NODE:NUMA, such as node1 or "
            "node1:0"},
           {R"({"command":"x","targets":"n1"})", "'targets' must be an array of text, not \"n1\""},
           {R"({"command":"x","required_gpus":[[0]]})",
            "'required_gpus' cannot be honoured: only its default is accepted, not an array"},
           {R"({"command":"x","task_type":"vps"})",
            "'task_type' cannot be honoured: only its default is accepted, not \"vps\""},
           {R"({"command":"x","additional_mounts":["/a"]})", "'additional_mounts[0]' must be HOST_PATH:CONTAINER_PATH"},
           {R"({"command":"x","privileged":"yes"})", "'privileged' must be true or false, not \"yes\""},
           {R"({"command":"x","command":"y"})",
            "the body must be a JSON object: 'command' stands twice in one object"}}) {
    CAPTURE(row.body.substr(0, 60));
    CHECK(line(decode_submit(row.body)) == row.message);
  }
}

TEST_CASE("an argument and a value may be as long as execve takes them") {
  CHECK(line(decode_submit(R"({"command":"x","arguments":[)" + quoted(131'071) + "]}")) == "accepted");
  CHECK(line(decode_submit(R"({"command":"x","env_vars":{"AB":)" + quoted(131'068) + "}}")) == "accepted");
  std::string body = R"({"argv":["x")";
  for (int i = 0; i < 8; ++i) body += "," + quoted(131'069);
  // Two bytes for "x" and eight times 131,070: sixteen are left.
  CHECK(line(decode_batch(body + "," + quoted(13) + "]}")) == "accepted");
  CHECK(line(decode_batch(body + "," + quoted(14) + "]}")) ==
        "'argv' must have, with the environment, at most 1048576 bytes, not 1048577");
}

TEST_CASE("every field that is wrong is told in one reply") {
  const auto submission = decode_submit(R"({"arguments":7,"required_cores":true})");
  REQUIRE(std::get_if<InvalidInput>(&submission));
  CHECK(
      std::get_if<InvalidInput>(&submission)->body() ==
      R"({"detail":[{"loc":["body","command"],"msg":"is required","type":"missing"},)"
      R"({"loc":["body","arguments"],"msg":"must be an array of text, not 7","type":"list_type"},)"
      R"({"loc":["body","required_cores"],"msg":"must be a number from 0 to 1000000 with at most three decimals, not true","type":"float_type"}]})");
}

TEST_CASE("our own submissions refuse what they do not know") {
  struct Row {
    std::string body;
    std::string message;
  };
  for (const auto& row : std::vector<Row>{
           {"{}", "'argv' is required"},
           {R"({"argv":[]})", "'argv' must have at least one word"},
           {R"({"argv":[""]})", "'argv[0]' must not be empty"},
           {R"({"argv":["x"],"comand":"x"})", "'comand' is not a field that is known here"},
           {R"({"argv":["x"],"command":null})", "'command' is not a field that is known here"},
           {R"({"argv":["x",{"base64":"AA=="}]})", "'argv[1]' must not hold a NUL character"},
           {R"({"argv":["x"],"memory":"8Q"})",
            "'memory' must be a size: '8Q' is not a memory size: expected a number with K, M, G, T (1024) or KB, MB, "
            "GB, TB (1000)"},
           {R"({"argv":["x"],"memory":-1})", "'memory' must be a whole number from 0 to 1152921504606846976, not -1"},
           {R"({"argv":["x"],"count":0})", "'count' must be a whole number from 1 to 100000000, not 0"},
           {R"({"argv":["x"],"count":3,"targets":["a","b"]})",
            "'count' must be 2, the number of targets, or be left out"},
           {R"({"argv":["x"],"cwd":"here"})", "'cwd' must be an absolute path"},
           {R"({"argv":["x"],"name":)" + quoted(256) + "}", "'name' must have at most 255 bytes, not 256"},
           {R"({"argv":["x"],"submission_id":"a b"})",
            "'submission_id' must be at most 64 printable ASCII characters without blanks"},
           {R"({"argv":["x"],"submission_id":)" + quoted(65) + "}",
            "'submission_id' must be at most 64 printable ASCII characters without blanks"},
           {R"({"argv":["x"],"environment":[["A","1"],["A","2"]]})", "'environment.A' must be given once"},
           {R"({"argv":["x"],"environment":[["A"]]})", "'environment[0]' must be a pair of a name and a value"},
           {R"({"argv":["x"],"time_limit":"soon"})",
            "'time_limit' must be a length of time: 'soon' is not a duration: expected a number of seconds, or one "
            "with ms, s, m, h, d or w such as 30s"},
           {R"({"argv":["x"],"time_limit":-1})", "'time_limit' must be a length of time: not a length of time"},
           {R"({"argv":["x"],"time_limit":0.0001})", "'time_limit' must be at least a millisecond, or 0 for none"},
           {R"({"argv":["x"],"time_limit":"0.0001s"})", "'time_limit' must be at least a millisecond, or 0 for none"},
           {R"({"argv":["x"],"time_limit":["2h"]})",
            "'time_limit' must be a number of seconds or a text such as \"2h\", not an array"},
           {R"({"argv":["x"],"time_limit":"3651d"})", "'time_limit' must be at most 3650d"},
           {R"({"argv":["x"],"user":7})", "'user' must be text, not 7"},
           {R"({"argv":["x"],"user":"a b"})",
            "'user' must be a user's name, at most 64 bytes without blanks and none of : / , * ' \""},
           {R"({"argv":["x"],"nice":20})", "'nice' must be a whole number from 0 to 19, not 20"},
           {R"({"argv":["x"],"nice":-1})", "'nice' must be a whole number from 0 to 19, not -1"},
           {R"({"argv":["x"],"environment":"A=1"})", "'environment' must be an object, not \"A=1\""}}) {
    CAPTURE(row.body.substr(0, 60));
    CHECK(line(decode_batch(row.body)) == row.message);
  }
}

TEST_CASE("our own submissions are read in full") {
  const auto request = good(decode_batch(
      R"({"argv":["p",{"base64":"/wE="}],"environment":{"A":"1"},"cores":"0.5","memory":"1.5G","targets":["n:0"],)"
      R"("count":7,"name":"sweep","cwd":"/w","container":"c","mounts":[],"privileged":false,"private_network":true,)"
      R"("private_pid":false,"submission_id":"id-1","time_limit":"1h30m","user":"alice","nice":19})"));
  SubmitRequest expected;
  expected.spec = {{"p", "\xFF\x01"}, {{"A", "1"}}, {500, 1610612736}, "sweep", "/w", "c", {}, false, true, false};
  expected.spec.time_limit = std::chrono::minutes{90};
  expected.spec.user = "alice";
  expected.spec.niceness = 19;
  expected.targets = {{"n", 0}};
  expected.count = 7;
  expected.submission_id = "id-1";
  CHECK(request == expected);
}

TEST_CASE("a time limit is seconds or a text, and 0 is none") {
  const auto limit_of = [](const std::string& value) {
    return good(decode_batch(R"({"argv":["x"],"time_limit":)" + value + "}")).spec.time_limit.count();
  };
  CHECK(limit_of("1.5") == 1500);
  CHECK(limit_of("7200") == 7'200'000);
  CHECK(limit_of("\"2h\"") == 7'200'000);
  CHECK(limit_of("\"30\"") == 30'000);
  CHECK(limit_of("0") == 0);
  CHECK(limit_of("\"0s\"") == 0);
  CHECK(limit_of("null") == 0);
}

TEST_CASE("a submission is read back as it was written, with any bytes") {
  std::string bytes;
  for (int c = 1; c < 256; ++c) bytes += static_cast<char>(c);
  SubmitRequest plain;
  plain.spec.argv = {"x"};
  SubmitRequest left = plain;
  left.default_container = left.default_mounts = left.default_privileged = true;
  SubmitRequest full = plain;
  full.spec = {{"x", bytes, ""},
               {{"Z", bytes}, {"A", ""}, {"\xFF", "v"}},
               {1250, 5},
               bytes,
               "/" + bytes,
               "c",
               {"/a:/b"},
               true,
               true,
               true,
               {},
               3,
               std::chrono::milliseconds{90'001},
               "alice",
               1};
  full.submission_id = "0123-abc";
  full.count = 12;
  SubmitRequest spread = plain;
  spread.targets = {{"a", {}}, {"b", 3}};
  spread.count = 2;
  for (const auto& request : {plain, left, full, spread}) CHECK(good(decode_batch(encode_batch(request))) == request);
}

TEST_CASE("the digest sees the content and not the submission id") {
  SubmitRequest request;
  request.spec.argv = {"x", "y"};
  SubmitRequest again = request;
  again.submission_id = "retry";
  CHECK(content_digest(request) == content_digest(again));
  SubmitRequest other = request;
  other.spec.argv = {"x y"};
  CHECK(content_digest(request) != content_digest(other));
  other = request;
  other.count = 2;
  CHECK(content_digest(request) != content_digest(other));
}

TEST_CASE("answers to a submission list the ids as text") {
  const SubmitAnswer whole{BatchId{41}, 2, {}};
  const SubmitAnswer part{BatchId{41}, 1, {{"n9", "there is no node 'n9'"}}};
  const SubmitAnswer large{BatchId{9223372036854775807U - 2000}, 1001, {}};
  CHECK(encode_seed_submit_answer(whole) ==
        R"({"message":"Task(s) accepted.","task_ids":["42","43"],"batch_id":"41","count":2})");
  CHECK(encode_seed_submit_answer(part).find(
            R"("failed_targets":[{"target":"n9","reason":"there is no node 'n9'"}])") != std::string::npos);
  CHECK(encode_submit_answer(whole) ==
        R"({"batch_id":"41","first_task_id":"42","count":2,"task_ids":["42","43"],"failed_targets":[]})");
  CHECK(encode_submit_answer(large).find("task_ids") == std::string::npos);
  for (const auto& answer : {whole, part, large}) {
    CHECK(*decode_submit_answer(encode_submit_answer(answer)) == answer);
    CHECK(*decode_submit_answer(encode_seed_submit_answer(answer)) == answer);
  }
  CHECK(*decode_submit_answer(R"({"batch_id":41,"count":2})") == whole);
  CHECK(!decode_submit_answer(R"({"count":2})"));
  CHECK(encode_refused_submission("no target is left", part.failed_targets) ==
        R"({"detail":"no target is left","failed_targets":[{"target":"n9","reason":"there is no node 'n9'"}]})");
}

TEST_CASE("a refused submission says which targets were refused, and other errors name none") {
  const std::vector<FailedTarget> failed{{"n9", "there is no node 'n9'"}, {"n1:7", "it has no NUMA node 7"}};
  CHECK(decode_refused_targets(encode_refused_submission("no target is left", failed)) == failed);
  for (const auto* body :
       {"", "{}", "[]", "not json", R"({"detail":"x"})", R"({"failed_targets":7})", R"({"failed_targets":[]})"}) {
    CAPTURE(body);
    CHECK(decode_refused_targets(body).empty());
  }
}
