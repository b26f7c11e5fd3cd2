// An engine that needs no daemon, and an attempt with it.
#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

#include "container/task_run.hpp"
#include "support/scratch_directory.hpp"

namespace hakuriver::container {

// An engine that does as it is told, and remembers.
class FakeEngine : public Engine {
 public:
  Status ping() override { return answers ? Status(Unit{}) : Status(Error{Errc::unavailable, "away"}); }
  Result<Image> image(const std::string& reference) override {
    if (reference != "my-env") return Error{Errc::not_found, "no such image"};
    return Image{"sha256:1", {"/entry", "-x"}, {"PATH=/own"}};
  }
  Status create(const Container& wanted, const Argv& words, const std::vector<std::string>& variables) override {
    container = wanted;
    command = words;
    environment = variables;
    if (!while_creating) {
      state_.status = "created";
      state_.owner = wanted.labels.front().second;
      return Unit{};
    }
    state_.owner = wanted.labels.front().second;
    return while_creating();
  }
  Status start(const std::string&) override {
    if (while_starting) return while_starting();
    state_.status = "running";
    return Unit{};
  }
  Result<ContainerState> state(const std::string&) override {
    if (state_.status.empty()) return Error{Errc::not_found, "no such container"};
    if (failures > 0 && failures-- > 0) return Error{Errc::unavailable, "away"};
    return state_;
  }
  Status wait(const std::string&) override {
    state_.status = "exited";
    if (while_waiting) while_waiting();
    return Unit{};
  }
  Status pause(const std::string&) override { return say("pause"); }
  Status resume(const std::string&) override { return say("resume"); }
  Status kill(const std::string&) override { return say("kill"); }
  Status execute(const std::string&, const Argv& words) override { return say("execute " + shell_quote(words)); }
  Status remove(const std::string&) override {
    if (while_removing) while_removing();
    state_.status.clear();
    return say("remove");
  }
  Result<std::vector<std::string>> load(const std::string&) override { return std::vector<std::string>{}; }
  Status pull(const std::string&) override { return say("pull"); }
  Status tag(const std::string&, const std::string&) override { return say("tag"); }

  Result<std::vector<std::string>> references(const std::string&) override { return std::vector<std::string>{}; }
  Status remove_image(const std::string& reference) override { return say("remove_image " + reference); }

  Status say(std::string what) {
    said.push_back(std::move(what));
    return Unit{};
  }

  std::function<Status()> while_creating;
  std::function<Status()> while_starting;
  std::function<void()> while_waiting;
  std::function<void()> while_removing;
  bool answers = true;
  int failures = 0;  // so many questions for a state stay without an answer
  Container container;
  Argv command;
  std::vector<std::string> environment;
  std::vector<std::string> said;
  ContainerState state_;
};

struct Rig {
  test::ScratchDirectory directory;
  FakeEngine engine;
  TaskFiles files{directory / "task"};
  Options options;
  std::string told;

  Rig() {
    options.name = "hakuriver-task-7";
    options.owner = "a/7/1";
    options.container.image = "my-env";
    options.container.labels = {{"hakuriver.owner", "a/7/1"}};
    options.init = "/libexec/init";
    options.hakurun = "/bin/hakurun";
    options.command = {"run", "it"};
    REQUIRE(files.create());
  }
  TaskEnd run(const std::vector<std::string>& environment = {}) {
    return run_task(engine, options, files, {"/o", "/e"}, environment);
  }
  Status control(const std::string& verb) {
    options.verb = verb;
    return control_task(engine, options, files);
  }
  Status finish(Engine* asked) {
    return finish_task(asked, options, files, [this](const std::string& lines) {
      told = lines;
      return true;
    });
  }
  void report(const std::string& lines) const { directory.write("task/report", lines); }
};

}  // namespace hakuriver::container
