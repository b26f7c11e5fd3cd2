#include "container/program.hpp"

int main(int argc, char** argv) { return hakuriver::container::container_program(argc, argv); }
