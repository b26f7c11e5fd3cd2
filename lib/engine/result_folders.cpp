#include "engine/result_folders.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

#include "engine/write_all.hpp"
#include "hakuriver/run/result_folder.hpp"
#include "platform/system_error.hpp"

namespace hakuriver::engine {
namespace {

using platform::Descriptor;

Status make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), 0777) != 0 && errno != EEXIST) {
      return platform::system_error("cannot make the directory '" + part + "'", errno);
    }
    if (slash == std::string::npos) return Unit{};
  }
}

Status write_file(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (!file.is_open()) return platform::system_error("cannot write '" + path + "'", errno);
  const int error = write_all(file.get(), text);
  if (error != 0) return platform::system_error("cannot write '" + path + "'", error);
  return Unit{};
}

// Whose folder that is.
std::optional<std::uint64_t> owner_of(const std::string& folder) {
  const Descriptor file(::open((folder + "/params.json").c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> beginning;
  const auto count = file.is_open() ? ::read(file.get(), beginning.data(), beginning.size()) : 0;
  return number_in_params_json({beginning.data(), static_cast<std::size_t>(count > 0 ? count : 0)});
}

Result<Descriptor> open_output(const std::string& path) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666));
  if (!file.is_open()) return platform::system_error("cannot write '" + path + "'", errno);
  if (file.get() > 2) return file;
  return Descriptor(::fcntl(file.get(), F_DUPFD_CLOEXEC, 3));  // a child puts its own 0, 1 and 2 in place one by one
}

}  // namespace

Result<ResultFolders> ResultFolders::open(std::string directory) {
  const auto made = make_directories(directory);
  if (!made) return made.error();
  return ResultFolders(std::move(directory));
}

Result<ResultFolder> ResultFolders::begin(const Command& command, std::uint64_t number,
                                          const std::function<std::string(std::uint64_t)>& name_of) const {
  ResultFolder folder;
  folder.path = directory_ + '/' + result_folder_name(command.name, number);
  if (::mkdir(folder.path.c_str(), 0777) != 0) {
    if (errno != EEXIST) return platform::system_error("cannot make '" + folder.path + "'", errno);
    const auto owner = owner_of(folder.path);
    if (owner && *owner != number && name_of(*owner) == command.name) {
      folder.path += '~' + std::to_string(number);
      if (::mkdir(folder.path.c_str(), 0777) != 0 && errno != EEXIST) {
        return platform::system_error("cannot make '" + folder.path + "'", errno);
      }
    }
  }
  const std::string outcome = folder.path + "/outcome.json";
  if (::unlink(outcome.c_str()) != 0 && errno != ENOENT) {
    return platform::system_error("cannot remove '" + outcome + "'", errno);
  }
  const auto params = write_file(folder.path + "/params.json", params_json(command, number));
  if (!params) return params.error();
  for (const auto& [place, name] : {std::pair(&folder.out, "/stdout"), std::pair(&folder.err, "/stderr")}) {
    auto file = open_output(folder.path + name);
    if (!file) return file.error();
    *place = std::move(*file);
  }
  return folder;
}

Status ResultFolders::finish(ResultFolder& folder, const RunEnd& end) {
  folder.close();
  const std::string path = folder.path + "/outcome.json";
  const std::string unfinished = path + ".part";
  const auto written = write_file(unfinished, outcome_json(end));
  if (!written) {
    ::unlink(unfinished.c_str());
    return written.error();
  }
  if (::rename(unfinished.c_str(), path.c_str()) == 0) return Unit{};
  return platform::system_error("cannot write '" + path + "'", errno);
}

}  // namespace hakuriver::engine
