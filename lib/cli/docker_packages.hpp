// What hakuriver.docker does with packages.
#pragma once

#include "cli/docker_containers.hpp"
#include "cli/docker_options.hpp"
#include "cli/streams.hpp"
#include "environment/packages.hpp"

namespace hakuriver::cli {

// Each prints what it did, and gives the error that it has not told yet.
// The exit status, which is not good where Ctrl-C came.
Result<int> package_environment(const DockerOrder& order, const DockerProgram& docker,
                                const environment::Packages& packages, Streams streams);
Status show_versions(const DockerOrder& order, const environment::Packages& packages, Streams streams);
Status roll_back(const DockerOrder& order, const environment::Packages& packages, Streams streams);
Status remove_package(const DockerOrder& order, const environment::Packages& packages, Streams streams);
Status list_environments(const DockerOrder& order, const DockerProgram& docker, const environment::Packages& packages,
                         Streams streams);

}  // namespace hakuriver::cli
