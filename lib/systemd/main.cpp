#include "systemd/systemd_program.hpp"

int main(int argc, char** argv) { return hakuriver::systemd::systemd_program({argv + 1, argv + argc}); }
