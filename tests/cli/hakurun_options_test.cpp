#include "cli/hakurun_options.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "cli/hakurun_jobs.hpp"
#include "cli/hakurun_option_table.hpp"

using namespace hakuriver;
using namespace hakuriver::cli;
using namespace std::chrono_literals;

namespace {

std::map<std::string, std::string>& variables() {
  static std::map<std::string, std::string> variables;
  return variables;
}

std::optional<std::string> find_variable(const std::string& name) {
  const auto found = variables().find(name);
  if (found == variables().end()) return std::nullopt;
  return found->second;
}

Result<HakurunOptions> parse(std::vector<const char*> words, std::map<std::string, std::string> environment = {}) {
  variables() = std::move(environment);
  return parse_hakurun_options(words, &find_variable);
}

HakurunOptions parsed(std::vector<const char*> words, std::map<std::string, std::string> environment = {}) {
  words.push_back("command");
  auto options = parse(std::move(words), std::move(environment));
  if (!options) FAIL(options.error().message);
  return std::move(*options);
}

}  // namespace

TEST_CASE("each option is read into what it means") {
  CHECK(parsed({"-j4"}).jobs == JobCount{JobCount::Kind::number, 4});
  CHECK(parsed({"--jobs=50%"}).jobs == JobCount{JobCount::Kind::percent, 50});
  CHECK(parsed({"-j", "+2"}).jobs == JobCount{JobCount::Kind::more, 2});
  CHECK(parsed({"--from", "3"}).run.selection.from == 3);
  CHECK(parsed({"--limit", "18446744073709551615"}).run.selection.limit == 18446744073709551615u);
  CHECK(parsed({"--sample=5", "--seed=0"}).seed == 0u);
  CHECK(parsed({"--shuffle"}).run.selection.shuffle);
  CHECK(!parsed({"--shuffle", "--no-shuffle"}).run.selection.shuffle);
  CHECK(parsed({"--halt", "soon,fail=3"}).run.halt == HaltPolicy{HaltPolicy::When::soon, 3, 0});
  CHECK(parsed({"--halt", "now,fail=10%"}).run.halt == HaltPolicy{HaltPolicy::When::now, 1, 10});
  CHECK(parsed({"--halt", "now"}).run.halt == HaltPolicy{HaltPolicy::When::now, 1, 0});
  CHECK(parsed({"--halt", "never"}).run.halt == HaltPolicy{});
  CHECK(parsed({"--timeout", "1.5m"}).run.time_limit == TimeLimit{90s, 0});
  CHECK(parsed({"--timeout", "200%"}).run.time_limit == TimeLimit{0s, 200});
  CHECK(parsed({"--retries", "2"}).run.retries == 2);
  CHECK(parsed({"--backoff", "500ms"}).run.backoff == 500ms);
  CHECK(parsed({"--delay", "0.25"}).run.delay == 250ms);
  CHECK(parsed({"--load", "1.5"}).run.max_load == 1.5);
  CHECK(parsed({"--load", "100%"}).run.max_load == count_usable_cpus());
  CHECK(parsed({"--memfree", "2G"}).run.min_free_memory_bytes == std::uint64_t{2} << 30);
  CHECK(parsed({"--nice", "-5"}).run.children.nice == -5);
  CHECK(parsed({"--env", "A=1", "--env=B="}).run.children.environment == std::vector<std::string>{"A=1", "B="});
  CHECK(parsed({"--cwd", "a b"}).run.children.working_directory == "a b");
  CHECK(parsed({"--gpus", "0,2"}).run.children.slot_environment ==
        std::vector<std::vector<std::string>>{{"CUDA_VISIBLE_DEVICES=0"}, {"CUDA_VISIBLE_DEVICES=2"}});
  CHECK(parsed({"--joblog", "x", "--resume"}).run.resume);
  CHECK(parsed({"--joblog=x", "--retry-failed"}).run.joblog == "x");
  CHECK(parsed({"--results", "out"}).run.results == "out");
  CHECK(parsed({"--lb"}).line_buffer);
  CHECK(parsed({"-k", "--tag"}).keep_order);
  CHECK(parsed({"--no-progress"}).progress == false);
  CHECK(parsed({"--progress"}).progress == true);
  CHECK(!parsed({}).progress);
}

TEST_CASE("what is wrong with an option is one line that names it") {
  const std::vector<std::vector<const char*>> rows = {{"-j", "0"},
                                                      {"-j", "101000%"},
                                                      {"-j", "-1"},
                                                      {"-j", "%"},
                                                      {"-j", "+"},
                                                      {"--from=0"},
                                                      {"--from=-1"},
                                                      {"--limit=x"},
                                                      {"--limit=18446744073709551616"},
                                                      {"--sample=0"},
                                                      {"--seed=-1", "--shuffle"},
                                                      {"--halt=later"},
                                                      {"--halt=never,fail=1"},
                                                      {"--halt=soon,fail=0"},
                                                      {"--halt=soon,fail=101%"},
                                                      {"--halt=soon,"},
                                                      {"--halt="},
                                                      {"--timeout=0"},
                                                      {"--timeout=0%"},
                                                      {"--timeout=soon"},
                                                      {"--timeout=-1s"},
                                                      {"--retries=-1"},
                                                      {"--retries=1e3"},
                                                      {"--backoff=x"},
                                                      {"--delay=1parsec"},
                                                      {"--load=0"},
                                                      {"--load=nan"},
                                                      {"--load=-1"},
                                                      {"--memfree=much"},
                                                      {"--nice=20"},
                                                      {"--nice=-21"},
                                                      {"--env=A"},
                                                      {"--env==1"},
                                                      {"--cwd="},
                                                      {"--gpus="},
                                                      {"--gpus=0,,1"},
                                                      {"--gpus=0 1"},
                                                      {"--joblog="},
                                                      {"--results="}};
  for (auto words : rows) {
    CAPTURE(words.front());
    const std::string name(words.front());
    words.push_back("command");
    const auto options = parse(words);
    REQUIRE(!options);
    const std::string& message = options.error().message;
    CAPTURE(message);
    CHECK(message.find('\n') == std::string::npos);
    const std::string shown = name == "-j" ? "--jobs" : name.substr(0, name.find('='));
    CHECK(message.find(shown + ": ") == 0);
  }
}

TEST_CASE("options that do not go together, or lack something, are refused") {
  const std::vector<std::vector<const char*>> rows = {{"--seed=1", "c"},
                                                      {"--resume", "c"},
                                                      {"--retry-failed", "c"},
                                                      {"--joblog=x", "--resume", "--retry-failed", "c"},
                                                      {"-u", "--lb", "c"},
                                                      {"-u", "-k", "c"},
                                                      {"-u", "--results=r", "c"},
                                                      {"-u", "--tag", "c"},
                                                      {"--tag=1", "c"},
                                                      {"-j"},
                                                      {"--halt"},
                                                      {},
                                                      {"--"},
                                                      {"--nosuch", "c"},
                                                      {"--no-jobs", "c"},
                                                      {"--no-nosuch", "c"},
                                                      {"--no-help", "c"},
                                                      {"-x", "c"},
                                                      {"-kx", "c"}};
  for (const auto& words : rows) {
    CAPTURE(words.size());
    const auto options = parse(words);
    REQUIRE(!options);
    CHECK(options.error().message.find('\n') == std::string::npos);
  }
}

TEST_CASE("options end at the first word that is none") {
  const auto options = parse({"-k", "--jobs", "2", "echo", "--parallel", "-j9"});
  REQUIRE(options);
  CHECK(options->command == Argv{"echo", "--parallel", "-j9"});
  CHECK(options->typed_before == Argv{"hakurun", "-k", "--jobs", "2"});
  CHECK(!options->parallel);
  CHECK(parse({"-k", "--", "-j"})->command == Argv{"-j"});
  CHECK(parse({"-"})->command == Argv{"-"});
}

TEST_CASE("the environment gives what the command line does not") {
  CHECK(parsed({}, {{"HAKURUN_JOBS", "3"}, {"HAKURUN_KEEP_ORDER", "yes"}}).jobs == JobCount{JobCount::Kind::number, 3});
  CHECK(parsed({}, {{"HAKURUN_KEEP_ORDER", "1"}}).keep_order);
  CHECK(!parsed({}, {{"HAKURUN_KEEP_ORDER", "0"}}).keep_order);
  CHECK(!parsed({}, {{"HAKURUN_KEEP_ORDER", ""}}).keep_order);
  CHECK(!parsed({"--no-keep-order"}, {{"HAKURUN_KEEP_ORDER", "1"}}).keep_order);
  CHECK(parsed({"-j5"}, {{"HAKURUN_JOBS", "3"}}).jobs == JobCount{JobCount::Kind::number, 5});
  CHECK(parsed({}, {{"HAKURUN_PROGRESS", "off"}}).progress == false);
  CHECK(parsed({}, {{"HAKURUN_HALT", "now"}}).run.halt.when == HaltPolicy::When::now);
  CHECK(parsed({"--shuffle"}, {{"HAKURUN_SEED", "7"}}).seed == 7u);
  CHECK(parsed({}, {{"HAKURUN_SEED", "7"}}).seed == 7u);
  // What hakurun tells its commands is no option of a hakurun among them.
  CHECK(parsed({}, {{"HAKURUN_SLOT", "3"}, {"HAKURUN_INDEX", "9"}, {"HAKURUN_HELP", "1"}}).slot_variables);
  const auto bad = parse({"c"}, {{"HAKURUN_KEEP_ORDER", "perhaps"}});
  REQUIRE(!bad);
  CHECK(bad.error().message.find("the variable HAKURUN_KEEP_ORDER: 'perhaps'") == 0);
}

TEST_CASE("how many run at once") {
  CHECK(JobCount{JobCount::Kind::percent, 50}.resolve(8) == 4);
  CHECK(JobCount{JobCount::Kind::percent, 50}.resolve(1) == 1);
  CHECK(JobCount{JobCount::Kind::percent, 300}.resolve(8) == 24);
  CHECK(JobCount{JobCount::Kind::more, 2}.resolve(8) == 10);
  CHECK(JobCount{JobCount::Kind::more, 10'000}.resolve(8) == kMostJobs);
  CHECK(choose_jobs(parsed({}), 100) == 1);
  CHECK(choose_jobs(parsed({"-j7"}), 100) == 7);
  CHECK(choose_jobs(parsed({"--parallel"}), 5) <= 5);
  CHECK(choose_jobs(parsed({"--parallel"}), 1'000'000) <= kMostAtOnce);
  CHECK(choose_jobs(parsed({"--gpus", "0,1,2"}), 100) == 3);
  CHECK(choose_jobs(parsed({"--gpus", "0,1,2", "-j6"}), 100) == 6);
  CHECK(count_usable_cpus() >= 1);
}

TEST_CASE("help names every option once, examples first, within 120 columns") {
  const std::string help = hakurun_help();
  CHECK(help.find("Examples:") == 0);
  for (const auto& group : hakurun_option_groups()) {
    for (const auto& option : group.options) {
      const std::string name = " --" + std::string(option.name);
      CAPTURE(name);
      CHECK(help.find(name) != std::string::npos);
    }
  }
  std::size_t at = 0;
  while (at < help.size()) {
    const auto end = help.find('\n', at);
    CHECK(end - at <= 120);
    at = end + 1;
  }
}

TEST_CASE("the cluster's tasks may be in containers, apart and another user's") {
  const auto options = parsed({"--to=cluster", "--container", "box", "--mount=/a:/b", "--mount", "/c:/d:ro",
                               "--privileged", "--private-network", "--private-pid", "--user", "ann"});
  CHECK(options.cluster.container == "box");
  CHECK(options.cluster.mounts == std::vector<std::string>{"/a:/b", "/c:/d:ro"});
  CHECK(options.cluster.privileged);
  CHECK(options.cluster.private_network);
  CHECK(options.cluster.private_pid);
  CHECK(options.cluster.user == "ann");
  CHECK(parsed({"--to=cluster", "--container=NULL"}).cluster.container == "NULL");
  const std::vector<std::pair<const char*, const char*>> slips = {
      {"--container=", "--container: expected a name, or NULL for the node itself"},
      {"--user=a b", "--user: 'a b' is not a user's name"}};
  for (const auto& slip : slips) {
    CAPTURE(slip.first);
    CHECK(parse({"--to", "cluster", slip.first, "command"}).error().message == slip.second);
  }
  CHECK(!parse({"--to", "cluster", "--mount=/a", "command"}));
  CHECK(parse({"--to", "cluster", "--container=NULL", "--mount=/a:/b", "command"}).error().message ==
        "--mount does not go with --container NULL: such a task runs on the node itself");
}

TEST_CASE("the cluster gets what is its, and nothing that means this machine") {
  const auto options = parsed({"--to", "cluster", "--target", "node1:0", "--target=node2", "-j4", "--shell",
                               "--parallel", "--cores=2", "--memory", "8G", "--host", "http://h:1", "--name", "sweep"});
  CHECK(options.to_cluster);
  CHECK(options.cluster.targets == std::vector<std::string>{"node1:0", "node2"});
  CHECK(options.cluster.cores == "2");
  CHECK(options.cluster.memory == "8G");
  CHECK(options.cluster.host == "http://h:1");
  CHECK(options.cluster.name == "sweep");
  CHECK(!parsed({"--to", "here"}).to_cluster);
  // A command of a run has HAKURUN_NAME in its environment, and may be hakurun itself.
  CHECK(parsed({}, {{"HAKURUN_NAME", "lr=1"}}).cluster.name.empty());
  for (const char* local :
       {"--load=2", "--memfree=1G", "--gpus=0", "--stdin", "--jobserver", "--ungroup", "--delay=1s"}) {
    CAPTURE(local);
    const auto refused = parse({"--to=cluster", local, "command"});
    REQUIRE(!refused);
    CHECK(refused.error().message.find(" does not go with --to cluster") != std::string::npos);
  }
  for (const std::string remote : {"--target=n", "--cores=1", "--memory=1G", "--host=h", "--name=n", "--container=c",
                                   "--mount=/a:/b", "--privileged", "--private-network", "--private-pid", "--user=u"}) {
    const auto refused = parse({remote.c_str(), "command"});
    REQUIRE(!refused);
    CHECK(refused.error().message == remote.substr(0, remote.find('=')) + " needs --to cluster");
  }
  CHECK(!parse({"--to", "cluster", "--jobs=50%", "command"}));
  const auto limited = parsed({"--to", "cluster", "--timeout=90s", "--nice=7"});
  CHECK(limited.run.time_limit.most == 90s);
  CHECK(limited.run.children.nice == 7);
  const std::vector<std::pair<const char*, const char*>> local_only = {
      {"--timeout=200%", "--timeout: with --to cluster expected a time such as 30s: its nodes do not know the median"},
      {"--timeout=3651d", "--timeout: with --to cluster expected at most 3650d"},
      {"--nice=-1", "--nice: with --to cluster expected 0 to 19: no task gets more than its node"}};
  for (const auto& refused : local_only) {
    CAPTURE(refused.first);
    CHECK(parse({"--to", "cluster", refused.first, "command"}).error().message == refused.second);
  }
  const std::vector<std::vector<const char*>> slips = {{"--target", ""},  {"--target", "node1:x"}, {"--cores", ""},
                                                       {"--cores", "-1"}, {"--memory", ""},        {"--memory", "8X"}};
  for (const auto& slip : slips) {
    CAPTURE(slip[0]);
    const auto refused = parse({"--to", "cluster", slip[0], slip[1], "command"});
    REQUIRE(!refused);
    CHECK(refused.error().message.starts_with(slip[0] + std::string(": '") + slip[1] + "' is not a "));
  }
  CHECK(parse({"--to", "mars", "command"}).error().message == "--to: 'mars': expected here or cluster");
}
