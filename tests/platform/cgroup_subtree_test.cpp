#include "platform/cgroup_subtree.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

namespace {

void put(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

bool opens(const Result<std::string>& opened, const std::string& path) { return opened && *opened == path; }

}  // namespace

TEST_CASE("a process that is alone in its cgroup makes room for others below it") {
  const ScratchDirectory scratch;
  const std::string own = scratch / "own";
  const std::string self = std::to_string(::getpid());
  put(own + "/cgroup.type", "domain\n");
  put(own + "/cgroup.procs", self + "\n");
  put(own + "/cgroup.subtree_control", "");
  put(own + "/hakuriver-runner/cgroup.procs", "");
  CHECK(opens(platform::open_unified_subtree(own), own));
  CHECK(contents_of(own + "/hakuriver-runner/cgroup.procs") == self);
  CHECK(contents_of(own + "/cgroup.subtree_control") == "+memory");  // the last that was written
  // Once it is there, it stays.
  CHECK(opens(platform::open_unified_subtree(own + "/hakuriver-runner"), own));
}

TEST_CASE("a process that is not alone is told to be started in a cgroup of its own") {
  const ScratchDirectory scratch;
  const std::string own = scratch / "own";
  put(own + "/cgroup.type", "domain\n");
  put(own + "/cgroup.procs", std::to_string(::getpid()) + "\n1\n");
  const auto opened = platform::open_unified_subtree(own);
  REQUIRE_FALSE(opened.has_value());
  CHECK(opened.error().code == Errc::conflict);
  CHECK(opened.error().message.find("cgroup '" + own + "' holds other processes than this runner") == 0);
  CHECK_FALSE(std::filesystem::exists(own + "/hakuriver-runner"));
}

TEST_CASE("at the root of the hierarchy nobody has to move") {
  const ScratchDirectory scratch;
  const std::string root = scratch / "root";
  put(root + "/cgroup.procs", "1\n2\n");
  put(root + "/cgroup.subtree_control", "");
  CHECK(opens(platform::open_unified_subtree(root), root));
  CHECK(contents_of(root + "/cgroup.subtree_control") == "+memory");
}
