#include "wire/task_sweep.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <variant>
#include <vector>

#include "hakuriver/sweep_words.hpp"
#include "hakuriver/task.hpp"
#include "wire/submission.hpp"
#include "wire/task_spec.hpp"

using namespace hakuriver;
using namespace hakuriver::wire;

namespace {

TaskSweep sweep_of(const Argv& words, const SelectionOptions& options = {}, std::vector<PlaceRange> places = {},
                   SweepOrder order = SweepOrder::first_slowest) {
  auto parsed = parse_sweep(words, order);
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  auto tasks = TaskSweep::make(parsed->sweep, options, std::move(places));
  REQUIRE(tasks);
  return *tasks;
}

std::string text_of(const TaskSweep& sweep) {
  std::string text;
  append_task_sweep(text, sweep);
  return text;
}

TaskSpec spec_of(TaskSweep sweep) {
  TaskSpec spec;
  spec.resources = {1000, 0};
  spec.sweep.emplace(std::move(sweep));
  return spec;
}

std::string refusal(const std::string& sweep) {
  const auto answer = decode_batch("{\"sweep\":" + sweep + "}");
  const auto* errors = std::get_if<InvalidInput>(&answer);
  return errors == nullptr ? "accepted" : errors->error().message;
}

const std::string kAxis = R"("axes":[{"name":"a","values":["1","2"]}])";

}  // namespace

TEST_CASE("a sweep written as JSON reads back as the same sweep with the same commands") {
  SelectionOptions shuffled;
  shuffled.shuffle = true;
  shuffled.seed = 18'446'744'073'709'551'615U;
  SelectionOptions part;
  part.from = 2;
  part.limit = 2;
  part.sample = 3;
  const TaskSweep sweeps[] = {
      sweep_of({"true"}),
      sweep_of({"echo", "--lr=span:[0.1,0.2]", "span:{001..100..3}", "run-{lr}-{#}.txt"}),
      sweep_of({"echo", "span:{0.5..-2.25..0.25}", "span:{z..a..2}", "span:{5..1}"}, shuffled),
      sweep_of({"echo", "span:{-5000..5000..777}"}),
      sweep_of({"echo", "span:[\xff\xfe,\"x\\y\",{lr}]", "span:1..3"}, part, {{1, 1}, {0, 1}}, SweepOrder::together),
      sweep_of({"echo", "span:{1..30}"}, {}, {{29, 1}, {0, 10}, {12, 3}}, SweepOrder::first_fastest),
      *TaskSweep::make(sweep_of({"echo", "x=span:[a b,it's]", "{x}", "span:1..2"}).commands().as_shell_lines()),
  };
  for (const auto& sweep : sweeps) {
    const std::string text = text_of(sweep);
    CAPTURE(text);
    const auto back = decode_task_sweep(text);
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(*back == sweep);
    CHECK(text_of(*back) == text);
    const auto spec = decode_task_spec(encode_task_spec(spec_of(sweep)));
    REQUIRE_MESSAGE(spec, spec.error().message);
    for (std::uint64_t task = 0; task < sweep.size(); ++task) {
      CHECK(command_of(*spec, task).argv == sweep.commands().at(sweep.combination(task)));
    }
  }
}

TEST_CASE("what people write by hand is read, with its defaults") {
  const auto answer = decode_batch(R"({"name":"t","sweep":{"words":["train",["--lr=",{"axis":"lr"}],{"axis":"seed"},)"
                                   R"(["n",{"run":"number"}]],"axes":[{"name":"lr","values":["0.1","0.2"]},)"
                                   R"({"name":"seed","first":8,"last":10,"width":2}],"places":[[5,1],[0,2]]}})");
  const auto* request = std::get_if<SubmitRequest>(&answer);
  REQUIRE(request != nullptr);
  CHECK(request->count == 3);
  const TaskCommand last = command_of(request->spec, 0);
  CHECK(last.argv == Argv{"train", "--lr=0.2", "10", "n6"});
  CHECK(last.name == "t[lr=0.2,seed=10]");
  CHECK(last.variables == std::vector<std::pair<std::string, std::string>>{{"HAKURUN_INDEX", "6"},
                                                                           {"HAKURUN_TOTAL", "6"},
                                                                           {"HAKURUN_NAME", "lr=0.2,seed=10"},
                                                                           {"HAKURUN_PARAM_lr", "0.2"},
                                                                           {"HAKURUN_PARAM_seed", "10"}});
  CHECK(command_of(request->spec, 2).argv == Argv{"train", "--lr=0.1", "09", "n2"});
}

TEST_CASE("a sweep may have several targets, and any batch a limit of its own") {
  SubmitRequest request;
  request.spec = spec_of(sweep_of({"echo", "span:1..9"}));
  request.spec.max_running = 4;
  request.targets = {Target{"b", 1}, Target{"a", std::nullopt}};
  request.count = 9;
  const auto answer = decode_batch(encode_batch(request));
  const auto* back = std::get_if<SubmitRequest>(&answer);
  REQUIRE(back != nullptr);
  CHECK(back->targets == request.targets);
  CHECK(back->count == 9);
  CHECK(back->spec.max_running == 4);
  CHECK(decode_task_spec(encode_task_spec(request.spec))->max_running == 4);
  request.spec.max_running = 5;
  CHECK(content_digest(request) != content_digest(*back));
}

TEST_CASE("a hundred million tasks are a few bytes, and one more is too many") {
  SubmitRequest request;
  request.spec = spec_of(sweep_of({"echo", "span:1..10000", "span:1..10000"}));
  request.count = kMaxBatchTasks;
  const std::string body = encode_batch(request);
  CHECK(body.size() < 300);
  const auto answer = decode_batch(body);
  const auto* back = std::get_if<SubmitRequest>(&answer);
  REQUIRE(back != nullptr);
  CHECK(back->count == kMaxBatchTasks);
  CHECK(command_of(back->spec, kMaxBatchTasks - 1).argv == Argv{"echo", "10000", "10000"});
  CHECK(refusal(text_of(sweep_of({"echo", "span:1..10000", "span:1..10001"}))) ==
        "'sweep' must have at most 100000000 tasks, not 100010000");
}

TEST_CASE("repeated submissions are told apart by all of the sweep") {
  const auto digest = [](const TaskSweep& sweep) {
    SubmitRequest request;
    request.spec = spec_of(sweep);
    return content_digest(request);
  };
  SelectionOptions shuffled;
  shuffled.shuffle = true;
  const Argv words{"echo", "span:1..9"};
  CHECK(digest(sweep_of(words)) == digest(sweep_of(words)));
  CHECK(digest(sweep_of(words)) != digest(sweep_of({"echo", "span:1..8"})));
  CHECK(digest(sweep_of(words)) != digest(sweep_of(words, shuffled)));
  CHECK(digest(sweep_of(words)) != digest(sweep_of(words, {}, {{0, 8}})));
}

TEST_CASE("what is wrong with a sweep is said in one line") {
  const std::string words = R"({"words":["x"],)";
  const std::pair<std::string, std::string> cases[] = {
      {"7", "'sweep' must be an object, not 7"},
      {"{" + kAxis + "}", "'sweep.words' is required"},
      {R"({"words":["x"]})", "'sweep.axes' is required"},
      {R"({"words":[],)" + kAxis + "}", "'sweep.words' must have at least one word"},
      {R"({"words":[[]],)" + kAxis + "}", "'sweep.words[0]' must have at least one piece"},
      {R"({"words":["x",{"axis":"b"}],)" + kAxis + "}", "'sweep.words[1].axis' must be the name of one of the axes"},
      {R"({"words":[{"run":"slot"}],)" + kAxis + "}", "'sweep.words[0].run' must be \"number\""},
      {R"({"words":["x\u0000"],)" + kAxis + "}", "'sweep' must not hold a NUL character"},
      {R"({"words":[""],)" + kAxis + "}", "'sweep' must not have an empty first word"},
      {words + R"("axes":[{"name":"a"}]})", "'sweep.axes[0].values' is required, or 'first' and 'last' are"},
      {words + R"("axes":[{"name":"","values":["1"]}]})",
       "'sweep.axes[0].name' must have 1 to 255 bytes, without '=' and NUL"},
      {words + R"("axes":[{"name":"a","first":1}]})", "'sweep.axes[0].last' is required"},
      {words + R"("axes":[{"name":"a","first":1,"last":3,"step":0}]})",
       "'sweep.axes[0].step' must be a whole number from 1 to 18446744073709551615, not 0"},
      {words + R"("axes":[{"name":"a","first":"a","last":"10"}]})",
       "'sweep.axes[0].last' must be a whole number or, at both ends, an ASCII letter"},
      {words + R"("axes":[{"name":"a","values":[]}]})", "'sweep.places' must choose at least one combination"},
      {words + R"("axes":[{"name":"a","values":["1"]},{"name":"a","values":["1"]}]})",
       "'sweep.axes[1].name' must be given to one axis"},
      {words + kAxis + R"(,"order":"random"})", "'sweep.order' must be first_slowest, first_fastest or together"},
      {words + kAxis + R"(,"places":[[1,2]]})",
       "'sweep.places' must have places within its 2 chosen combinations, not 2 from 1"},
      {words + kAxis + R"(,"places":[[0]]})", "'sweep.places[0]' must be a pair of a place and a count, not an array"},
      {words + kAxis + R"(,"zip":true})", "'sweep.zip' is not a field that is known here"},
  };
  for (const auto& each : cases) {
    CAPTURE(each.first);
    CHECK(refusal(each.first) == each.second);
  }
  CHECK(
      std::get<InvalidInput>(decode_batch(R"({"argv":["x"],"sweep":{"words":["x"],)" + kAxis + "}}")).error().message ==
      "'argv' does not go with 'sweep', which has the words");
  CHECK(std::get<InvalidInput>(decode_batch(R"({"targets":["a:0","b","a"],"sweep":{"words":["x"],)" + kAxis + "}}"))
            .error()
            .message == "'targets[2]' must be of another node than the other targets of a sweep: 'a' is there before");
  CHECK(std::get<InvalidInput>(decode_batch(R"({"count":3,"sweep":{"words":["x"],)" + kAxis + "}}")).error().message ==
        "'count' must be 2, the number of the sweep's tasks, or be left out");
}

TEST_CASE("a command that could become too long is refused before there is one") {
  const std::string most(kMaxArgumentBytes, 'x');
  const std::string axis = R"("axes":[{"name":"a","first":1,"last":3,"width":131071}]})";
  CHECK(refusal(R"({"words":["x",["y",{"axis":"a"}]],)" + axis).find("bytes, not") != std::string::npos);
  const std::string quotes(40'000, '\'');  // four bytes each, once quoted
  const std::string list = R"("axes":[{"name":"a","values":[")" + quotes + R"("]}]})";
  CHECK(refusal(R"({"words":["x",{"axis":"a"}],)" + list) == "accepted");
  CHECK(refusal(R"({"words":["x",{"axis":"a","quoted":true}],)" + list).find("bytes, not") != std::string::npos);
  CHECK(refusal(R"({"words":[")" + most + R"("],)" + kAxis + "}") == "accepted");
  CHECK(refusal(R"({"words":[")" + most + R"(y"],)" + kAxis + "}").find("bytes, not") != std::string::npos);
}

TEST_CASE("a sweep in damaged JSON is read or refused, and never a crash") {
  const std::string text =
      text_of(sweep_of({"echo", "--lr=span:[0.1,\xff]", "span:{001..100..3}", "{#}"}, {}, {{0, 3}, {7, 2}}));
  std::mt19937 random(20260101);
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = text;
    for (unsigned changes = random() % 4; changes-- > 0;) {
      const std::size_t at = random() % damaged.size();
      if (random() % 2 == 0) damaged[at] = static_cast<char>(random() % 256);
      if (random() % 4 == 0) damaged.erase(at, random() % 8);
      if (random() % 4 == 0) damaged.insert(at, damaged.substr(random() % damaged.size(), random() % 16));
    }
    const auto sweep = decode_task_sweep(damaged);
    if (sweep) {
      ++accepted;
      CHECK(sweep->combination(sweep->size() - 1) < sweep->commands().size());
      CHECK(measure(sweep->commands()).argv_bytes > 0);
    } else {
      CHECK(sweep.error().message.find('\n') == std::string::npos);
    }
  }
  CHECK(accepted > 0);
  CHECK(accepted < 3000);
}
