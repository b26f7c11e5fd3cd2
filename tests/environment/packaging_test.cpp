#include "environment/packaging.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
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
  CHECK(files_in(packages.directory()).size() == 9);  // a tar and a manifest each, current, newest, and the lock
}

TEST_CASE("the version of a package that was deleted is not used again") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  directory.write("packages/a.current", "1763740500\n");
  CHECK(package(packages, "x")->key.version == 1763740501);
  REQUIRE(packages.remove({"a", 1763740501}, true));
  CHECK(packages.list()->empty());
  CHECK(package(packages, "x")->key.version == 1763740502);
}

TEST_CASE("a package of another program is not followed by its version when it is deleted") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  directory.write("packages/a-1763740500.tar", "x");
  REQUIRE(packages.remove({"a", 1763740500}, true));
  CHECK(package(packages, "x")->key.version == 1763740501);
}

TEST_CASE("no version is above the highest that there can be, until that is deleted") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  directory.write("packages/a-9007199254740991.tar", "x");
  const auto refused = package(packages, "y");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message.find("9007199254740991") != std::string::npos);
  REQUIRE(packages.remove({"a", kMaxPackageVersion}, true));
  CHECK(package(packages, "y")->key.version == 1763740000);
}

TEST_CASE("a packaging that fails at any step publishes nothing and leaves nothing") {
  for (const bool is_first : {true, false}) {
    for (const std::string last : {"sync", "hash", "manifest", "rename", "current"}) {
      CAPTURE(last);
      const ScratchDirectory directory;
      const Packages packages(directory / "packages");
      if (!is_first) REQUIRE(package(packages, "one"));
      const auto before = *packages.current("a");
      const auto failed = package(packages, "two", kNow, [&last](std::string_view step) {
        return step == last ? Status(Error{Errc::io, "no more"}) : Status(Unit{});
      });
      REQUIRE_FALSE(failed);
      CHECK(failed.error().message == "no more");
      CHECK(*packages.current("a") == before);
      CHECK(files_in(packages.directory()).size() == (is_first ? 2 : 5));
    }
  }
}

TEST_CASE("a current version that cannot be written fails the packaging before there is a package") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  std::filesystem::create_directories(directory / "packages/.a.current.part/x");
  CHECK_FALSE(package(packages, "x"));
  CHECK(packages.list()->empty());
}

TEST_CASE("what is packaged can be read by every user, whatever the mask of the packager") {
  const ScratchDirectory directory;
  const Packages packages(directory / "home/shared/packages");
  const mode_t before = ::umask(077);
  const auto made = package(packages, "x");
  ::umask(before);
  REQUIRE(made);
  using std::filesystem::perms;
  const auto mode = [](const std::string& path) { return std::filesystem::status(path).permissions(); };
  CHECK(mode(directory / "home") == static_cast<perms>(0700));
  CHECK(mode(directory / "home/shared") == static_cast<perms>(0755));
  CHECK(mode(packages.directory()) == static_cast<perms>(0755));
  for (const auto& path :
       {packages.tar_path(made->key), packages.manifest_path(made->key), packages.current_path("a")}) {
    CHECK(mode(path) == static_cast<perms>(0644));
  }
}

TEST_CASE("what a killed packager left goes with a deleted package, too") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  const auto made = package(packages, "x");
  for (const std::string file :
       {".a-1763740009.tar.part", ".a-1763740009.json.part", ".a.current.part", "a-1763740009.json", "..a.newest.part",
        ".b-1763740009.tar.part", "b-1763740009.json"}) {
    directory.write("packages/" + file, "x");
  }
  REQUIRE(packages.remove(made->key, true));
  // What is of another environment may be about to be whole.
  CHECK(files_in(packages.directory()) ==
        std::set<std::string>{".a.lock", ".a.newest", ".b-1763740009.tar.part", "b-1763740009.json"});
}

TEST_CASE("what is not packaged gets no lock") {
  const ScratchDirectory directory;
  const Packages packages(directory / "packages");
  CHECK(packages.make_current({"a", 5}).error().code == Errc::not_found);
  CHECK(packages.remove({"a", 5}, true).error().code == Errc::not_found);
  CHECK_FALSE(std::filesystem::exists(packages.directory()));
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
  CHECK(files_in(packages.directory()) == std::set<std::string>{".a.lock", ".a.newest", ".b.lock", ".b.newest"});
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
            return Status(Unit{});
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
    CHECK(files_in(packages.directory()).size() == 2 * count + 3);
    CHECK(*packages.current("a") == 1763740020);
  }
}

}  // namespace
