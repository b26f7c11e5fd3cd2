#include "platform/health.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "support/scratch_directory.hpp"

using namespace hakuriver;
using hakuriver::test::ScratchDirectory;
using platform::CpuTimes;
using platform::MemorySizes;

namespace {

// Of a Debian 12 machine with two CPUs.
constexpr std::string_view kStat =
    "cpu  1834 0 1789 173093 442 0 71 9 0 0\n"
    "cpu0 505 0 579 87427 65 0 8 1 0 0\n"
    "cpu1 1329 0 1210 85665 377 0 62 7 0 0\n"
    "intr 236817 0 0 0\n"
    "ctxt 495427\n";
constexpr std::string_view kMeminfo =
    "MemTotal:       24684092 kB\n"
    "MemFree:        24188600 kB\n"
    "MemAvailable:   24314956 kB\n"
    "Buffers:          212480 kB\n"
    "Cached:            61408 kB\n"
    "SwapCached:            0 kB\n"
    "HugePages_Total:       0\n"
    "Hugepagesize:       2048 kB\n";

}  // namespace

TEST_CASE("CPU times are read from the first line, waiting for a disk is not busy") {
  const auto times = platform::parse_cpu_times(kStat);
  REQUIRE(times);
  CHECK(times->total == 1834 + 1789 + 173093 + 442 + 71 + 9);
  CHECK(times->busy == 1834 + 1789 + 71 + 9);
  // Guest time (the last two) is in user time already; old kernels have four columns.
  CHECK(*platform::parse_cpu_times("cpu 10 0 0 10 0 0 0 0 10 0") == CpuTimes{10, 20});
  CHECK(*platform::parse_cpu_times("cpu 1 2 3 4\n") == CpuTimes{6, 10});
}

TEST_CASE("text that is not /proc/stat is refused") {
  for (const std::string text : {"", "\n", "cpu", "cpu 1 2 3", "cpu0 1 2 3 4", "cpu 1 2 3 x", "cpu 1 2 3 -4",
                                 "cpu 99999999999999999999999 1 1 1"}) {
    CAPTURE(text);
    const auto times = platform::parse_cpu_times(text);
    REQUIRE(!times);
    CHECK(times.error().code == Errc::parse);
  }
}

TEST_CASE("CPU use is the busy share between two readings, within 0 and 100") {
  struct Row {
    CpuTimes before, after;
    double percent;
  };
  for (const auto& row : std::vector<Row>{{{0, 0}, {50, 100}, 50},
                                          {{100, 1000}, {100, 2000}, 0},
                                          {{100, 1000}, {200, 1100}, 100},
                                          {{100, 1000}, {100, 1000}, 0},
                                          {{100, 1000}, {50, 500}, 0},
                                          {{100, 1000}, {50, 1500}, 0},
                                          {{0, 1000}, {300, 1100}, 100}}) {
    CHECK(platform::cpu_percent(row.before, row.after) == doctest::Approx(row.percent));
  }
}

TEST_CASE("memory is read with what new programs could have") {
  CHECK(*platform::parse_memory(kMeminfo) == MemorySizes{24684092ull * 1024, 24314956ull * 1024});
  CHECK(*platform::parse_memory("MemTotal: 100 kB\nMemFree: 10 kB\nBuffers: 5 kB\nCached: 7 kB\n") ==
        MemorySizes{102400, 22 * 1024});
  CHECK(*platform::parse_memory("MemTotal: 1 kB\nMemAvailable: 2 kB\n") == MemorySizes{1024, 1024});
  CHECK(*platform::parse_memory("MemTotal: 1 kB") == MemorySizes{1024, 0});
  for (const std::string text : {"", "MemTotal", "MemTotal:", "MemTotal: x kB", "MemTotalX: 1 kB", "MemTotal: -1 kB",
                                 "MemTotal: 99999999999999999999 kB", "MemTotal: 18446744073709551615 kB"}) {
    CAPTURE(text);
    CHECK(!platform::parse_memory(text));
  }
}

TEST_CASE("temperatures are thousandths of a degree and must be plausible") {
  struct Row {
    std::string_view text;
    std::optional<double> degrees;
  };
  for (const auto& row : std::vector<Row>{{"45000\n", 45.0},
                                          {"45125", 45.125},
                                          {"-5000\n", -5.0},
                                          {"0", 0.0},
                                          {"", std::nullopt},
                                          {"hot", std::nullopt},
                                          {"45.0", std::nullopt},
                                          {"255000", std::nullopt},
                                          {"-128000", std::nullopt}}) {
    CAPTURE(row.text);
    CHECK(platform::parse_temperature(row.text) == row.degrees);
  }
}

TEST_CASE("sensors of CPUs are read from hwmon, and from thermal zones only without it") {
  const ScratchDirectory scratch;
  CHECK(platform::read_cpu_temperatures(scratch.path()).empty());
  scratch.write("sys/class/thermal/thermal_zone0/type", "acpitz\n");
  scratch.write("sys/class/thermal/thermal_zone0/temp", "20000\n");
  scratch.write("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
  scratch.write("sys/class/thermal/thermal_zone1/temp", "51000\n");
  CHECK(platform::read_cpu_temperatures(scratch.path()) == std::vector<double>{51.0});
  scratch.write("sys/class/hwmon/hwmon0/name", "nvme\n");
  scratch.write("sys/class/hwmon/hwmon0/temp1_input", "33000\n");
  scratch.write("sys/class/hwmon/hwmon3/name", "coretemp\n");
  scratch.write("sys/class/hwmon/hwmon3/temp1_input", "60000\n");
  scratch.write("sys/class/hwmon/hwmon3/temp2_input", "garbage\n");
  scratch.write("sys/class/hwmon/hwmon3/temp10_input", "70000\n");
  CHECK(platform::read_cpu_temperatures(scratch.path()) == std::vector<double>{60.0, 70.0});
}

TEST_CASE("readings follow each other") {
  const ScratchDirectory scratch;
  scratch.write("proc/meminfo", kMeminfo);
  scratch.write("proc/stat", "cpu 0 0 0 0\n");
  platform::HealthReader reader(scratch.path());
  scratch.write("proc/stat", "cpu 25 0 0 75\n");
  const auto first = reader.read();
  REQUIRE(first);
  CHECK(first->cpu_percent == doctest::Approx(25));
  CHECK(first->memory_total_bytes == 24684092ull * 1024);
  CHECK(first->memory_used_bytes == (24684092ull - 24314956ull) * 1024);
  CHECK(first->memory_percent == doctest::Approx(1.4954).epsilon(0.001));
  CHECK(!first->average_temperature);
  CHECK(!first->max_temperature);

  scratch.write("proc/stat", "cpu 75 0 0 125\n");
  scratch.write("sys/class/hwmon/hwmon0/name", "k10temp\n");
  scratch.write("sys/class/hwmon/hwmon0/temp1_input", "40000\n");
  scratch.write("sys/class/hwmon/hwmon0/temp2_input", "50000\n");
  const auto second = reader.read();
  REQUIRE(second);
  CHECK(second->cpu_percent == doctest::Approx(50));
  CHECK(second->average_temperature == 45.0);
  CHECK(second->max_temperature == 50.0);

  scratch.write("proc/stat", "nothing");
  CHECK(!reader.read());
}

TEST_CASE("this machine's health can be read") {
  platform::HealthReader reader;
  const auto health = reader.read();
  REQUIRE(health);
  CHECK(health->memory_total_bytes > health->memory_used_bytes);
  CHECK(health->cpu_percent >= 0);
  CHECK(health->cpu_percent <= 100);
}
