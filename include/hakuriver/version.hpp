// The version of hakuriver. CMake reads it from here, so it is written once.
#pragma once

#define HAKURIVER_VERSION_MAJOR 0
#define HAKURIVER_VERSION_MINOR 1
#define HAKURIVER_VERSION_PATCH 0
#define HAKURIVER_VERSION "0.1.0"
