#include "launch/exec_shim.hpp"

int main(int argc, char** argv) { return hakuriver::launch::run_exec_shim({argv + 1, argv + argc}); }
