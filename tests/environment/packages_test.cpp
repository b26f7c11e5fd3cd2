#include "environment/packages.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "environment/sha256.hpp"
#include "support/scratch_directory.hpp"

using namespace hakuriver;
using namespace hakuriver::environment;
using namespace hakuriver::test;

namespace {

struct Place {
  ScratchDirectory directory;
  Packages packages{directory / "packages"};

  void put(const PackageKey& key, const std::string& tar, const std::string& hashed) const {
    directory.write("packages/" + package_file(key), tar);
    const Manifest manifest{key, sha256_of(hashed), hashed.size(), {}, {}, {}};
    directory.write("packages/" + key.name + "-" + std::to_string(key.version) + ".json", encode_manifest(manifest));
  }
  std::string pinned(const std::string& container) const {
    const auto pinned = pin_container(packages, container);
    return pinned ? *pinned : "error: " + pinned.error().message;
  }
};

TEST_CASE("where nothing is packaged nothing is pinned") {
  const Place place;
  CHECK(place.packages.list()->empty());
  for (const std::string container : {"", "my-env", "python:3.12", "library/python", "a@sha256:00"}) {
    CHECK(place.pinned(container) == container);
  }
  CHECK(pin_container(place.packages, "My Env").error().code == Errc::invalid_argument);
}

TEST_CASE("packages are listed by name and version, whatever else lies there") {
  const Place place;
  for (const std::string name :
       {"b-9.tar", "a-10.tar", "a-9.tar", "a-9-8.tar", "x.tar", ".a-11.tar.part", "a.current.old"}) {
    place.directory.write("packages/" + name, "x");
  }
  std::filesystem::create_directory(place.directory / "packages/a-12.tar");
  std::string names;
  const auto all = place.packages.list();
  for (const auto& package : *all) names += to_string(package.key) + " ";
  CHECK(names == "a@9 a@10 a-9@8 b@9 ");
  CHECK(place.packages.list("a")->size() == 2);
  CHECK(place.packages.list("a")->front().size == 1);
}

TEST_CASE("a submission gets what is current, else the newest") {
  const Place place;
  place.put({"a", 9}, "x", "x");
  place.put({"a", 10}, "x", "x");
  CHECK(place.pinned("a") == "a@10");
  REQUIRE(place.packages.make_current({"a", 9}));
  CHECK(place.pinned("a") == "a@9");
  CHECK(place.pinned("a@10") == "a@10");
  CHECK(place.pinned("a@8").find("error: package 'a@8' is not in") == 0);
  CHECK(place.pinned("a@x") == "error: container 'a@x': expected NAME@VERSION");
  CHECK(place.packages.make_current({"a", 8}).error().code == Errc::not_found);
  CHECK(place.pinned("a") == "a@9");
}

TEST_CASE("a current version that is gone or garbage is said, not guessed") {
  const Place place;
  place.put({"a", 9}, "x", "x");
  place.directory.write("packages/a.current", "8\n");
  CHECK(pin_container(place.packages, "a").error().code == Errc::not_found);
  place.directory.write("packages/a.current", "9 8\n");
  CHECK(pin_container(place.packages, "a").error().code == Errc::io);
  place.directory.write("packages/a.current", std::string(100, '9'));
  CHECK_FALSE(pin_container(place.packages, "a"));
}

TEST_CASE("a package is whole where it is what its manifest says") {
  const Place place;
  place.put({"a", 1}, "whole", "whole");
  place.put({"a", 2}, "who", "whole");
  place.put({"a", 3}, "wrong", "whole");
  place.directory.write("packages/a-4.tar", "of another age");
  place.put({"a", 5}, "x", "x");
  place.directory.write("packages/a-5.json", encode_manifest({{"b", 5}, sha256_of("x"), 1, {}, {}, {}}));
  place.put({"a", 6}, "x", "x");
  place.directory.write("packages/a-6.json", std::string(kMaxManifestBytes + 1, ' '));
  CHECK(place.packages.verify({"a", 1}));
  CHECK(place.packages.verify({"a", 2}).error().message.find("has 3 bytes, and not 5") != std::string::npos);
  CHECK(place.packages.verify({"a", 3}).error().message.find("digest") != std::string::npos);
  CHECK(place.packages.verify({"a", 4}));
  for (const std::uint64_t damaged : {2U, 3U, 5U, 6U}) {
    CHECK(place.packages.verify({"a", damaged}).error().code == Errc::io);
  }
  CHECK(place.packages.verify({"a", 7}).error().code == Errc::not_found);
}

TEST_CASE("a directory that others may have filled is refused in one line that names it") {
  const Place place;
  const std::string path = place.directory / "packages";
  CHECK(place.packages.check_directory());
  CHECK(place.packages.make_directory());
  place.put({"a", 1}, "x", "x");
  const auto refused = [&place](const std::string& why) {
    const auto checked = place.packages.check_directory();
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == Errc::conflict);
    CHECK(checked.error().message.find("'" + (place.directory / "packages") + "' " + why + ": expected") !=
          std::string::npos);
    CHECK(place.packages.find({"a", 1}).error() == checked.error());
    CHECK(place.packages.verify({"a", 1}).error() == checked.error());
    CHECK(place.pinned("a") == "error: " + checked.error().message);
    CHECK(place.packages.lock("a").error() == checked.error());
  };
  for (const mode_t mode : {0700U, 0775U, 0757U, 01777U}) {
    CAPTURE(mode);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    if ((mode & S_IWOTH) == 0) CHECK(place.packages.find({"a", 1}));
    if ((mode & S_IWOTH) != 0) refused("can be written to by everybody");
  }
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  if (::chown(path.c_str(), 65534, 65534) == 0) {  // only root can
    refused("belongs to user 65534");
    // Where it is in a directory of that user's, it is theirs to fill.
    REQUIRE(::chown(place.directory.path().c_str(), 65534, 65534) == 0);
    CHECK(place.packages.check_directory());
    REQUIRE(::chown(place.directory.path().c_str(), ::geteuid(), ::getegid()) == 0);
    REQUIRE(::chown(path.c_str(), ::geteuid(), ::getegid()) == 0);
  }
  std::filesystem::rename(path, place.directory / "real");
  std::filesystem::create_directory_symlink(place.directory / "real", path);
  refused("is a link");
  CHECK_FALSE(Packages(path + "/").check_directory());
  std::filesystem::remove(path);
  place.directory.write("packages", "");
  CHECK(place.packages.check_directory().error().message.find("is no directory") != std::string::npos);
}

TEST_CASE("only regular files are read, and nobody waits for others") {
  const Place place;
  place.put({"a", 1}, "x", "x");
  for (const std::string name : {"a-1.json", "a.current", "a-2.tar", "a-3.tar"}) {
    std::filesystem::remove(place.directory / ("packages/" + name));
    if (name != "a-3.tar") REQUIRE(::mkfifo((place.directory / ("packages/" + name)).c_str(), 0666) == 0);
  }
  std::filesystem::create_directory(place.directory / "packages/a-3.tar");
  CHECK(place.packages.verify({"a", 1}).error().code == Errc::io);
  CHECK(place.packages.current("a").error().message.ends_with("a.current' is not a regular file"));
  for (const std::uint64_t version : {2U, 3U}) {
    CHECK(place.packages.find({"a", version}).error().message.ends_with(".tar' is not a regular file"));
    CHECK(place.packages.verify({"a", version}).error().code == Errc::not_found);
    CHECK(sha256_of_file(place.packages.tar_path({"a", version})).error().code == Errc::io);
  }
}

TEST_CASE("the current package is kept, unless it is the last and one insists") {
  const Place place;
  place.put({"a", 1}, "x", "x");
  place.put({"a", 2}, "x", "x");
  CHECK(place.packages.remove({"a", 2}, true).error().code == Errc::conflict);
  CHECK(place.packages.remove({"a", 3}, true).error().code == Errc::not_found);
  CHECK(place.packages.remove({"a", 1}, false));
  CHECK(place.packages.remove({"a", 2}, false).error().code == Errc::conflict);
  CHECK(place.packages.remove({"a", 2}, true));
  CHECK(place.pinned("a") == "a");
  CHECK_FALSE(std::filesystem::exists(place.packages.manifest_path({"a", 1})));
}

TEST_CASE("a file that cannot be written whole leaves no part of it, and what it was to replace") {
  const ScratchDirectory directory;
  REQUIRE(replace_file(directory.path(), "f", "old"));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit few{8, before.rlim_max};
  const auto usual = ::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &few) == 0);
  const auto replaced = replace_file(directory.path(), "f", "more than a few");
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  ::signal(SIGXFSZ, usual);
  CHECK_FALSE(replaced);
  CHECK(contents_of(directory / "f") == "old");
  CHECK_FALSE(std::filesystem::exists(directory / part_of("f")));
}

TEST_CASE("a link in the place of a file that is being written is not followed") {
  const ScratchDirectory directory;
  directory.write("other", "of somebody else");
  std::filesystem::create_symlink(directory / "other", directory / part_of("f"));
  CHECK_FALSE(replace_file(directory.path(), "f", "new"));
  CHECK(contents_of(directory / "other") == "of somebody else");
}

TEST_CASE("nobody changes what somebody else is changing") {
  const Place place;
  place.put({"a", 1}, "x", "x");
  const auto held = place.packages.lock("a");
  REQUIRE(held);
  CHECK(place.packages.make_current({"a", 1}).error().code == Errc::conflict);
  CHECK(place.packages.remove({"a", 1}, true).error().code == Errc::conflict);
  CHECK(place.packages.lock("b"));
}

}  // namespace
