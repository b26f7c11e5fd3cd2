#include "cli/client.hpp"

#include <unistd.h>

#include <iostream>
#include <string_view>

#include "cli/docker_program.hpp"
#include "cli/init_program.hpp"
#include "cli/process_words.hpp"

int main(int argc, char** argv) {
  using namespace hakuriver::cli;
  std::ios::sync_with_stdio(false);
  const std::string_view name = argc > 0 ? argv[0] : "";
  const auto program = name.ends_with("hakuriver.init")           ? init_program
                       : name.ends_with("hakuriver.docker")       ? docker_program
                       : name.ends_with("hakuriver.docker-shell") ? docker_shell_program
                                                                  : client_program;
  return program(words_of(argc, argv), environment_of(environ), {std::cout, std::cerr});
}
