#include "platform/files.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::contents_of;
using hakuriver::test::ScratchDirectory;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat facts {};
  return ::stat(path.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
}

std::size_t entries_in(const std::string& path) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++count;
  return count;
}

}  // namespace

TEST_CASE("a file is read as a whole, up to its bound") {
  const ScratchDirectory scratch;
  for (const std::size_t size : std::vector<std::size_t>{0, 1, 16384, 16385, 100'000}) {
    CAPTURE(size);
    const std::string path = scratch.write("x", std::string(size, 'x'));
    const auto contents = platform::read_file(path, size);
    REQUIRE(contents);
    CHECK(contents->size() == size);
    if (size == 0) continue;
    const auto refused = platform::read_file(path, size - 1);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::limit);
  }
  CHECK(platform::read_file("/proc/self/status", 65536)->substr(0, 5) == "Name:");
}

TEST_CASE("what cannot be read is one line") {
  const ScratchDirectory scratch;
  const auto missing = platform::read_file(scratch / "none", 10);
  REQUIRE(!missing);
  CHECK(missing.error().code == Errc::not_found);
  CHECK(missing.error().message == "cannot open '" + (scratch / "none") + "': No such file or directory");
  REQUIRE(::mkfifo((scratch / "pipe").c_str(), 0666) == 0);
  for (const std::string& path : {scratch.path(), scratch / "pipe", std::string("/dev/zero")}) {
    const auto other = platform::read_file(path, 10);
    REQUIRE(!other);
    CHECK(other.error().code == Errc::io);
    CHECK(other.error().message == "'" + path + "' is not a regular file");
  }
}

TEST_CASE("an atomic write replaces the file, sets its mode, and leaves nothing beside it") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "state";
  REQUIRE(platform::write_file_atomically(path, "one", 0600));
  CHECK(contents_of(path) == "one");
  CHECK(mode_of(path) == 0600);
  REQUIRE(platform::write_file_atomically(path, std::string(200'000, 'z'), 0664));
  CHECK(contents_of(path) == std::string(200'000, 'z'));
  CHECK(mode_of(path) == 0664);
  CHECK(entries_in(scratch.path()) == 1);
}

TEST_CASE("a failed atomic write leaves the old file and nothing beside it") {
  const ScratchDirectory scratch;
  std::filesystem::create_directories(scratch / "taken/by-a-directory");
  CHECK(!platform::write_file_atomically(scratch / "taken", "x", 0600));
  CHECK(std::filesystem::is_directory(scratch / "taken"));
  CHECK(entries_in(scratch.path()) == 1);
  const auto missing = platform::write_file_atomically(scratch / "none/x", "x", 0600);
  REQUIRE(!missing);
  CHECK(missing.error().code == Errc::not_found);
}

TEST_CASE("private directories are made with their parents and left alone where they are") {
  const ScratchDirectory scratch;
  REQUIRE(platform::create_private_directory(scratch / "a/b/c"));
  CHECK(mode_of(scratch / "a") == 0700);
  CHECK(mode_of(scratch / "a/b/c") == 0700);
  std::filesystem::permissions(scratch / "a", std::filesystem::perms(0755));
  REQUIRE(platform::create_private_directory(scratch / "a/"));
  CHECK(mode_of(scratch / "a") == 0755);
  REQUIRE(platform::create_private_directory("/"));
  scratch.write("file", "");
  CHECK(!platform::create_private_directory(scratch / "file"));
  CHECK(!platform::create_private_directory(scratch / "file/below"));
  CHECK(!platform::create_private_directory(""));
}

TEST_CASE("a directory is writable when a file can really be made in it") {
  const ScratchDirectory scratch;
  CHECK(platform::check_writable_directory(scratch.path()));
  CHECK(entries_in(scratch.path()) == 0);
  for (const std::string& path : {scratch / "none", std::string("/proc"), scratch.write("file", "")}) {
    CAPTURE(path);
    const auto refused = platform::check_writable_directory(path);
    REQUIRE(!refused);
    CHECK(refused.error().message.find("'" + path + "' is not writable") != std::string::npos);
  }
}

TEST_CASE("a lock on a file admits one holder at a time") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "lock";
  std::optional<platform::FileLock> holder;
  {
    auto lock = platform::lock_file(path);
    REQUIRE(lock);
    holder.emplace(std::move(*lock));
  }
  const auto refused = platform::lock_file(path);
  REQUIRE(!refused);
  CHECK(refused.error().code == Errc::conflict);
  CHECK(refused.error().message == "'" + path + "' is locked by another program");
  CHECK(mode_of(path) == 0600);
  holder.reset();
  CHECK(platform::lock_file(path));
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("files are opened close-on-exec") {
  const ScratchDirectory scratch;
  const auto lock = platform::lock_file(scratch / "lock");
  REQUIRE(lock);
  std::size_t seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) != scratch / "lock") continue;
    ++seen;
    CHECK((::fcntl(std::stoi(entry.path().filename().string()), F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(seen == 1);
}
