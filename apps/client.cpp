#include "cli/client.hpp"

#include <unistd.h>

#include <iostream>
#include <string_view>

#include "cli/init_program.hpp"
#include "cli/process_words.hpp"

int main(int argc, char** argv) {
  using namespace hakuriver::cli;
  std::ios::sync_with_stdio(false);
  const bool is_init = argc > 0 && std::string_view(argv[0]).ends_with("hakuriver.init");
  return (is_init ? init_program : client_program)(words_of(argc, argv), environment_of(environ),
                                                   {std::cout, std::cerr});
}
