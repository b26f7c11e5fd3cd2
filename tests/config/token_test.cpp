#include "config/token.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

namespace {

const std::string kToken = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

}  // namespace

TEST_CASE("a token is written once, for its owner only, and read back") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "token";
  REQUIRE(config::create_token_file(path, kToken));
  struct stat facts {};
  REQUIRE(::stat(path.c_str(), &facts) == 0);
  CHECK((facts.st_mode & 07777) == 0600);
  CHECK(contents_of(path) == kToken + "\n");
  CHECK(*config::read_token_file(path) == kToken);

  const auto again = config::create_token_file(path, std::string(64, 'f'));
  REQUIRE(!again);
  CHECK(again.error().code == Errc::conflict);
  CHECK(again.error().message == "the token file '" + path + "' exists already");
  CHECK(*config::read_token_file(path) == kToken);
}

TEST_CASE("whoever sees a token file while it is made sees a whole token") {
  const ScratchDirectory scratch;
  for (int round = 0; round < 100; ++round) {
    const std::string path = scratch / ("token" + std::to_string(round));
    std::atomic<bool> is_watched{false};
    std::atomic<bool> is_over{false};
    int broken = 0;
    std::thread watcher([&] {
      while (!is_over) {
        const auto token = config::read_token_file(path);
        if (!token && token.error().code != Errc::not_found) ++broken;
        is_watched = true;
      }
    });
    while (!is_watched) std::this_thread::yield();
    CHECK(config::create_token_file(path, kToken));
    is_over = true;
    watcher.join();
    CHECK(broken == 0);
  }
  CHECK(std::distance(std::filesystem::directory_iterator(scratch.path()), {}) == 100);
}

TEST_CASE("a token is never written through a link") {
  const ScratchDirectory scratch;
  std::filesystem::create_symlink(scratch / "elsewhere", scratch / "token");
  CHECK(!config::create_token_file(scratch / "token", kToken));
  CHECK(!std::filesystem::exists(scratch / "elsewhere"));
}

TEST_CASE("what is no token is not written") {
  const ScratchDirectory scratch;
  for (const auto& text : {std::string(), kToken.substr(1), kToken + "0", std::string(64, 'g'), std::string(64, 'A')}) {
    CAPTURE(text);
    CHECK(config::create_token_file(scratch / "token", text).error().code == Errc::invalid_argument);
  }
  CHECK(!std::filesystem::exists(scratch / "token"));
  CHECK(config::create_token_file(scratch / "none/token", kToken).error().code == Errc::not_found);
}

TEST_CASE("a token file that others may read is refused") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "token";
  REQUIRE(config::create_token_file(path, kToken));
  for (const unsigned mode : {0640u, 0604u, 0644u, 0660u, 0610u}) {
    CAPTURE(mode);
    std::filesystem::permissions(path, std::filesystem::perms(mode));
    const auto token = config::read_token_file(path);
    REQUIRE(!token);
    CHECK(token.error().code == Errc::denied);
    CHECK(token.error().message ==
          "the token file '" + path + "' is open to other users: expected mode 0600 (chmod 600)");
  }
  std::filesystem::permissions(path, std::filesystem::perms(0400));
  CHECK(config::read_token_file(path));
}

TEST_CASE("a token may have blanks around it and must be 64 hex digits, which no error shows") {
  const ScratchDirectory scratch;
  const auto read = [&](std::string_view contents) {
    const std::string path = scratch.write("token", contents);
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    return config::read_token_file(path);
  };
  CHECK(*read(kToken) == kToken);
  CHECK(*read("\r\n  " + kToken + " \r\n\n") == kToken);
  for (const auto& text : {std::string(), std::string("\n"), kToken.substr(1), kToken + "0", kToken + " " + kToken,
                           "Z" + kToken.substr(1), std::string(5000, 'a')}) {
    const auto token = read(text);
    REQUIRE(!token);
    CHECK(token.error().message.find("0123456789") == std::string::npos);
    CHECK(token.error().message.find("aaaa") == std::string::npos);
  }
  CHECK(config::read_token_file(scratch / "none").error().code == Errc::not_found);
}
