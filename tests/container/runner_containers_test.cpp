#include "doors/runner_containers.hpp"

#include <doctest/doctest.h>

#include "container/program.hpp"

using namespace hakuriver;
using namespace hakuriver::doors;

namespace {

Containers node() {
  Containers containers;
  containers.program = "/libexec/hakuriver-container";
  containers.init = "/libexec/hakuriver-container-init";
  containers.socket = "/s";
  containers.directory = "/state";
  containers.runner_id = "a";
  containers.shared_dir = "/srv/shared";
  containers.local_temp_dir = "/tmp/local";
  return containers;
}

StartRequest request() {
  StartRequest request;
  request.key = {TaskId{7}, Attempt{1}};
  request.argv = {"true"};
  request.working_directory = "/srv/shared";
  return request;
}

TaskSpec spec() {
  TaskSpec spec;
  spec.container = "box";
  return spec;
}

TEST_CASE("a task's variables are nothing to the program that asks for its container") {
  auto asked = request();
  asked.environment = {"LD_PRELOAD=/evil.so", "HAKURIVER_TASK_ID=7", "PATH=/node"};
  const auto wrapped = wrap_in_container(node(), asked, spec());
  CHECK(wrapped.environment == std::vector<std::string>{"@LD_PRELOAD=/evil.so", "@HAKURIVER_TASK_ID=7"});
}

TEST_CASE("the program gives the container the task's variables only") {
  const char* const environment[] = {"@LD_PRELOAD=/own.so",
                                     "HOME=/root",
                                     "@HAKURIVER_TASK_ID=8",
                                     "HAKURIVER_TASK_ID=7",
                                     "HAKURIVER_TASK_ATTEMPT=2",
                                     "@A=@b",
                                     nullptr};
  CHECK(container::task_environment(const_cast<char* const*>(environment)) ==
        std::vector<std::string>{"LD_PRELOAD=/own.so", "HAKURIVER_TASK_ID=7", "HAKURIVER_TASK_ATTEMPT=2", "A=@b"});
}

}  // namespace
