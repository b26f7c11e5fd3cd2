// Files the way a program that must not lose or mix anything needs them. Every descriptor is close-on-exec.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "platform/descriptor.hpp"

namespace hakuriver::platform {

// For reading. Anything else that has that name is Errc::io, and is not waited for: opening a pipe would last until
// somebody writes to it.
Result<Descriptor> open_regular_file(const std::string& path);

// The whole of a regular file. More than `most` bytes is Errc::limit, found before they are all read. Files of unknown
// size, such as those in /proc, are fine.
Result<std::string> read_file(const std::string& path, std::size_t most);

// The file is replaced as a whole or not at all, also when the machine dies: a new file beside it is written, synced
// and renamed. Its mode is exactly `mode`.
Status write_file_atomically(const std::string& path, std::string_view contents, mode_t mode);

// Creates the directory and its missing parents, each with mode 0700. One that is there is left as it is.
Status create_private_directory(const std::string& path);

// Creates, writes and removes a file in the directory: permission bits alone do not tell (root, read-only mounts,
// full disks).
Status check_writable_directory(const std::string& path);

// Whether the path, or its nearest parent that exists, lies on a file system that other machines share or serve:
// there file locks and memory maps cannot be trusted.
Result<bool> is_network_filesystem(const std::string& path);

// A lock on a file, held until it is destroyed or the process ends. It is not inherited over exec.
class FileLock {
 public:
  explicit FileLock(Descriptor file) noexcept : file_(std::move(file)) {}

 private:
  Descriptor file_;
};

// Creates the file (mode 0600) where it is missing, and locks it exclusively. Errc::conflict where another holder,
// also one in this process, has it. The file is never removed: a lock on a removed file protects nothing.
Result<FileLock> lock_file(const std::string& path);

}  // namespace hakuriver::platform
