// The program hakuriver-container.
#pragma once

namespace hakuriver::container {

// Exit status: the command's own of `run`, where it ended; 126 and 127 as a shell has them; 125 where the node is to
// blame. Of the other verbs 0 where they did their work.
int container_program(int argc, char** argv);

}  // namespace hakuriver::container
