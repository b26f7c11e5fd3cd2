// What a runner hands on of its own world to the tasks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hakuriver/result.hpp"

namespace hakuriver::doors {

// PATH (the system's default behind the directory of our programs), HOME, USER, LOGNAME, SHELL, LANG and LC_* as this
// process has them; who this user is comes from the user database where the environment does not say.
std::vector<std::pair<std::string, std::string>> task_environment(const std::string& program_directory);

// The name of the user that this process runs as; a number where it has none.
std::string own_user_name();

}  // namespace hakuriver::doors
