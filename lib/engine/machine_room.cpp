#include "engine/machine_room.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "platform/descriptor.hpp"

namespace hakuriver::engine {
namespace {

// The beginning of a file in /proc; empty where it cannot be read.
std::string read_beginning(const char* path) {
  const platform::Descriptor file(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text(4096, '\0');
  const auto count = ::read(file.get(), text.data(), text.size());
  text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
  return text;
}

}  // namespace

std::optional<double> parse_load_average(std::string_view text) {
  double load = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), load, std::chars_format::fixed);
  if (error != std::errc{} || end == text.data() + text.size() || *end != ' ') return std::nullopt;
  return load;
}

std::optional<std::uint64_t> parse_runnable(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  text = text.substr(0, slash);
  text.remove_prefix(std::min(text.rfind(' ') + 1, text.size()));
  std::uint64_t runnable = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), runnable);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return runnable;
}

std::optional<std::uint64_t> parse_available_memory(std::string_view text) {
  constexpr std::string_view kName = "\nMemAvailable:";
  const auto line = text.find(kName);
  if (line == std::string_view::npos) return std::nullopt;
  text.remove_prefix(line + kName.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::uint64_t kibibytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), kibibytes);
  if (error != std::errc{} || text.substr(static_cast<std::size_t>(end - text.data()), 3) != " kB") return std::nullopt;
  return kibibytes * 1024;
}

bool has_machine_room(const RoomNeeded& needed) {
  if (needed.max_load > 0) {
    const auto text = read_beginning("/proc/loadavg");
    const auto load = parse_load_average(text);
    if (load && *load > needed.max_load) return false;
    const auto runnable = parse_runnable(text);  // we are one of them
    if (runnable && static_cast<double>(*runnable) - 1 > needed.max_load) return false;
  }
  if (needed.min_free_memory_bytes > 0) {
    const auto available = parse_available_memory(read_beginning("/proc/meminfo"));
    if (available && *available < needed.min_free_memory_bytes) return false;
  }
  return true;
}

}  // namespace hakuriver::engine
