// The program hakuriver-container.
#pragma once

#include <string>
#include <vector>

namespace hakuriver::container {

// Exit status: the command's own of `run`, where it ended; 126 and 127 as a shell has them; 125 where the node is to
// blame. Of the other verbs 0 where they did their work.
int container_program(int argc, char** argv);

// Pure. The task's variables among this program's own, where each begins with '@'; of those that name the attempt it is
// the keeper's, without, that count. A null pointer ends the list.
std::vector<std::string> task_environment(char* const* environment);

}  // namespace hakuriver::container
