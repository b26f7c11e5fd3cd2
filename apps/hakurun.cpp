#include "cli/hakurun.hpp"

int main(int argc, char** argv) {
  if (argc < 1) return 2;
  return hakuriver::cli::hakurun({argv + 1, argv + argc});
}
