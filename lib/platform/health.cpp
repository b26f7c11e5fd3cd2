#include "platform/health.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "platform/files.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::platform {
namespace {

constexpr std::size_t kMaxProcText = std::size_t{16} << 20;
constexpr int kMaxSensors = 64;

// "MemTotal:       24684092 kB" -> bytes
std::optional<std::uint64_t> memory_field(std::string_view text, std::string_view name) {
  for (const std::string_view line : split(text, '\n')) {
    if (line.substr(0, name.size()) != name || line.substr(name.size(), 1) != ":") continue;
    const auto fields = words(line.substr(name.size() + 1));
    const auto kilobytes = fields.empty() ? std::nullopt : to_number(fields[0]);
    if (kilobytes && *kilobytes < std::uint64_t{1} << 50) return *kilobytes * 1024;
  }
  return std::nullopt;
}

std::string read_name(const std::string& path) {
  const auto text = read_file(path, 4096);
  return text ? std::string(trim(*text)) : std::string();
}

void add_sensor(std::vector<double>& temperatures, const std::string& path) {
  const auto text = read_file(path, 4096);
  if (!text) return;
  if (const auto temperature = parse_temperature(*text)) temperatures.push_back(*temperature);
}

bool is_cpu_driver(std::string_view name) {
  constexpr std::array<std::string_view, 5> kDrivers = {"coretemp", "k10temp", "k8temp", "zenpower", "cpu_thermal"};
  return std::find(kDrivers.begin(), kDrivers.end(), name) != kDrivers.end();
}

bool is_cpu_zone(std::string_view type) {
  return type == "x86_pkg_temp" || type.substr(0, 3) == "cpu" || type == "soc-thermal" || type == "soc_thermal";
}

std::vector<double> read_hwmon(const std::string& root) {
  std::vector<double> temperatures;
  for (int chip = 0; chip < kMaxSensors; ++chip) {
    const std::string directory = root + "/sys/class/hwmon/hwmon" + std::to_string(chip);
    if (!is_cpu_driver(read_name(directory + "/name"))) continue;
    // Drivers number from 1 and leave gaps.
    for (int sensor = 1; sensor <= 4 * kMaxSensors; ++sensor) {
      add_sensor(temperatures, directory + "/temp" + std::to_string(sensor) + "_input");
    }
  }
  return temperatures;
}

std::vector<double> read_thermal_zones(const std::string& root) {
  std::vector<double> temperatures;
  for (int zone = 0; zone < kMaxSensors; ++zone) {
    const std::string directory = root + "/sys/class/thermal/thermal_zone" + std::to_string(zone);
    if (is_cpu_zone(read_name(directory + "/type"))) add_sensor(temperatures, directory + "/temp");
  }
  return temperatures;
}

Result<CpuTimes> read_cpu_times(const std::string& root) {
  const auto text = read_file(root + "/proc/stat", kMaxProcText);
  if (!text) return text.error();
  return parse_cpu_times(*text);
}

Result<MemorySizes> read_memory(const std::string& root) {
  const auto text = read_file(root + "/proc/meminfo", kMaxProcText);
  if (!text) return text.error();
  return parse_memory(*text);
}

}  // namespace

Result<CpuTimes> parse_cpu_times(std::string_view text) {
  const auto fields = words(text.substr(0, text.find('\n')));
  if (fields.size() < 5 || fields[0] != "cpu") {
    return Error{Errc::parse, "/proc/stat: expected a first line such as 'cpu 1 2 3 4'"};
  }
  // user nice system idle iowait irq softirq steal; what follows is counted in user and nice already.
  CpuTimes times;
  for (std::size_t i = 1; i < std::min<std::size_t>(fields.size(), 9); ++i) {
    const auto ticks = to_number(fields[i]);
    if (!ticks) return Error{Errc::parse, "/proc/stat: '" + std::string(fields[i]) + "' is not a number"};
    times.total += *ticks;
    if (i != 4 && i != 5) times.busy += *ticks;
  }
  return times;
}

double cpu_percent(CpuTimes before, CpuTimes after) noexcept {
  if (after.total <= before.total || after.busy <= before.busy) return 0;
  const auto busy = static_cast<double>(after.busy - before.busy);
  return std::min(100.0, 100.0 * busy / static_cast<double>(after.total - before.total));
}

Result<MemorySizes> parse_memory(std::string_view text) {
  const auto total = memory_field(text, "MemTotal");
  if (!total) return Error{Errc::parse, "/proc/meminfo: expected a line such as 'MemTotal: 24684092 kB'"};
  auto available = memory_field(text, "MemAvailable");
  if (!available) {
    available = memory_field(text, "MemFree").value_or(0) + memory_field(text, "Buffers").value_or(0) +
                memory_field(text, "Cached").value_or(0);
  }
  return MemorySizes{*total, std::min(*available, *total)};
}

std::optional<double> parse_temperature(std::string_view text) {
  const auto thousandths = to_number<std::int64_t>(trim(text));
  // Disconnected sensors report values far outside of what a CPU survives.
  if (!thousandths || *thousandths < -60'000 || *thousandths > 150'000) return std::nullopt;
  return static_cast<double>(*thousandths) / 1000;
}

std::vector<double> read_cpu_temperatures(const std::string& root) {
  auto temperatures = read_hwmon(root);
  return temperatures.empty() ? read_thermal_zones(root) : temperatures;
}

HealthReader::HealthReader(std::string root) : root_(std::move(root)) {
  if (const auto times = read_cpu_times(root_)) before_ = *times;
}

Result<NodeHealth> HealthReader::read() {
  const auto times = read_cpu_times(root_);
  if (!times) return times.error();
  const auto memory = read_memory(root_);
  if (!memory) return memory.error();
  NodeHealth health;
  health.cpu_percent = cpu_percent(before_, *times);
  before_ = *times;
  health.memory_total_bytes = memory->total_bytes;
  health.memory_used_bytes = memory->total_bytes - memory->available_bytes;
  if (memory->total_bytes > 0) {
    health.memory_percent =
        100.0 * static_cast<double>(health.memory_used_bytes) / static_cast<double>(health.memory_total_bytes);
  }
  if (const auto sensors = read_cpu_temperatures(root_); !sensors.empty()) {
    health.average_temperature =
        std::accumulate(sensors.begin(), sensors.end(), 0.0) / static_cast<double>(sensors.size());
    health.max_temperature = *std::max_element(sensors.begin(), sensors.end());
  }
  return health;
}

}  // namespace hakuriver::platform
