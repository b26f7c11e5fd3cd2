#include <unistd.h>

#include <iostream>

#include "cli/process_words.hpp"
#include "cli/runner_program.hpp"

int main(int argc, char** argv) {
  return hakuriver::cli::runner_program(hakuriver::cli::words_of(argc, argv), hakuriver::cli::environment_of(environ),
                                        {std::cout, std::cerr});
}
