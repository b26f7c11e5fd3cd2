#include "launch/spec_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::launch;

TEST_CASE("what is written is read once, and by nobody else") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  const TaskSpecFile spec{"/shared/a b", {{7, {1024, 4096}}, {4, {0, ~rlim_t{0}}}}, {"A=1", "B=", "C=x=y\nz"}};
  REQUIRE(write_spec_file(path, spec));
  struct stat file {};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  CHECK((file.st_mode & 0777) == 0600);
  CHECK(write_spec_file(path, spec).error().code == Errc::conflict);
  const auto read = read_spec_file(path);
  REQUIRE(read);
  CHECK(read->directory == spec.directory);
  CHECK(read->environment == spec.environment);
  REQUIRE(read->limits.size() == 2);
  CHECK(read->limits[0].first == 7);
  CHECK(read->limits[0].second.rlim_max == 4096);
  CHECK(read->limits[1].second.rlim_max == ~rlim_t{0});
  CHECK(read_spec_file(path).error().code == Errc::io);
}

TEST_CASE("an empty spec is one, and this process has limits") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  REQUIRE(write_spec_file(path, {}));
  const auto read = read_spec_file(path);
  REQUIRE(read);
  CHECK(read->directory.empty());
  CHECK(read->limits.empty());
  CHECK(read->environment.empty());
  CHECK(own_limits().size() >= 15);
}

TEST_CASE("what is no spec is refused") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  for (const auto& text : {std::string(), std::string("/"), std::string("/\0", 2), std::string("/\0x=1:2\0", 9),
                           std::string("/\0007=1\0", 7), std::string("/\0\0A=1", 6)}) {
    CAPTURE(text);
    std::ofstream(path) << text;
    const auto read = read_spec_file(path);
    REQUIRE_FALSE(read);
    CHECK(read.error().code == Errc::parse);
  }
  // More than there can be is not taken for the part of it that was read.
  std::ofstream(path) << std::string(std::size_t{3} << 20, '\0');
  const auto large = read_spec_file(path);
  REQUIRE_FALSE(large);
  CHECK(large.error().code == Errc::parse);
}

TEST_CASE("a link to a spec is none") {
  const test::ScratchDirectory scratch;
  const std::string path = scratch.path() + "/spec";
  const std::string link = scratch.path() + "/link";
  REQUIRE(write_spec_file(path, {}));
  REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
  CHECK(read_spec_file(link).error().code == Errc::io);
  CHECK(read_spec_file(path));
}
