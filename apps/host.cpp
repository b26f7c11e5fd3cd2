#include <unistd.h>

#include <iostream>

#include "cli/host_program.hpp"
#include "cli/process_words.hpp"

int main(int argc, char** argv) {
  return hakuriver::cli::host_program(hakuriver::cli::words_of(argc, argv), hakuriver::cli::environment_of(environ),
                                      {std::cout, std::cerr});
}
