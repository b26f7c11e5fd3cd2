#include "environment/packaging.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::environment;
using namespace hakuriver::test;

namespace {

constexpr UtcTime kNow{1'763'740'000'000'000};

Result<Manifest> package(const Packages& packages, const std::string& tar, UtcTime now = kNow,
                         const StepWatcher& watch = {}) {
  auto packaging = Packaging::begin(packages, "a", now);
  if (!packaging) return packaging.error();
  if (::write(packaging->descriptor(), tar.data(), tar.size()) < 0) return Error{Errc::io, "write"};
  return packaging->finish({{}, {}, 0, "sha256:1", "python:3.12", {}}, watch);
}

std::set<std::string> files_in(const std::string& directory) {
  std::set<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) files.insert(entry.path().filename());
  return files;
}

TEST_CASE("a package is whole, current, and above the one before") {
  const ScratchDirectory directory;
  const Packages packages(directory / "shared/packages");
  const auto first = package(packages, "one");
  REQUIRE(first);
  CHECK(first->key == PackageKey{"a", 1763740000});
  CHECK(packages.verify(first->key));
  CHECK(*packages.current("a") == 1763740000);
  const auto second = package(packages, "two");  // in the same second, and by a clock that goes wrong
  REQUIRE(second);
  CHECK(second->key.version == 1763740001);
  CHECK(package(packages, "three", UtcTime{5})->key.version == 1763740002);
  CHECK(*packages.current("a") == 1763740002);
  CHECK(packages.list("a")->size() == 3);
  CHECK((*packages.manifest(first->key))->base_image == "python:3.12");
  CHECK(files_in(packages.directory()).size() == 8);  // a tar and a manifest each, current, and the lock
}

TEST_CASE("the version of a package that was deleted is not used again") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  directory.write("packages/a.current", "1763740500\n");
  CHECK(package(packages, "x")->key.version == 1763740501);
}

TEST_CASE("what is not finished is not there") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  CHECK_FALSE(package(packages, ""));
  {
    auto packaging = Packaging::begin(packages, "a", kNow);
    REQUIRE(packaging);
    CHECK(Packaging::begin(packages, "a", kNow).error().code == Errc::conflict);
    CHECK(Packaging::begin(packages, "b", kNow));
    CHECK(packages.list()->empty());
  }
  CHECK(files_in(packages.directory()) == std::set<std::string>{".a.lock", ".b.lock"});
  CHECK_FALSE(Packaging::begin(packages, "../a", kNow));
}

TEST_CASE("whoever dies at any step leaves no half package, and the next one tidies up") {
  for (const std::string last : {"sync", "hash", "manifest", "rename", "current", "end"}) {
    CAPTURE(last);
    const ScratchDirectory directory;
    const Packages packages(directory / "packages");
    const auto before = package(packages, "one");
    REQUIRE(before);
    const pid_t child = ::fork();
    if (child == 0) {
      static_cast<void>(
          package(packages, "two", UtcTime{kNow.microseconds + 10'000'000}, [&last](std::string_view step) {
            if (step == last) ::_exit(9);
          }));
      ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WEXITSTATUS(status) == 9);
    const auto all = *packages.list("a");
    for (const auto& each : all) {
      CHECK(packages.verify(each.key));
      CHECK(*packages.manifest(each.key));
    }
    CHECK(*packages.current("a") == (last == "end" ? all.back().key.version : before->key.version));
    REQUIRE(package(packages, "three", UtcTime{kNow.microseconds + 20'000'000}));
    const std::size_t count = packages.list("a")->size();
    CHECK(count == all.size() + 1);
    CHECK(files_in(packages.directory()).size() == 2 * count + 2);
    CHECK(*packages.current("a") == 1763740020);
  }
}

}  // namespace
