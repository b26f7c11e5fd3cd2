#include <doctest/doctest.h>

#include <vector>

#include "systemd/run.hpp"

using namespace hakuriver::systemd;

TEST_CASE("the environment of a task is what was marked as its own, and whose it is") {
  const std::vector<const char*> given{"LD_PRELOAD=/evil",
                                       "@LD_PRELOAD=/own",
                                       "@PATH=/bin",
                                       "@=odd",
                                       "@A=b=@c",
                                       "@HAKURIVER_TASK_ID=9",
                                       "HAKURIVER_TASK_ID=7",
                                       "PATH=/x",
                                       "HAKURIVER_TASK_ATTEMPT=2",
                                       nullptr};
  CHECK(task_environment(const_cast<char* const*>(given.data())) ==
        std::vector<std::string>{"LD_PRELOAD=/own", "PATH=/bin", "=odd", "A=b=@c", "HAKURIVER_TASK_ID=7",
                                 "HAKURIVER_TASK_ATTEMPT=2"});
}
