#include "cli/hakurun_values.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "hakuriver/duration.hpp"

namespace hakuriver::cli {
namespace {

Error bad(std::string_view text, const std::string& expected) {
  constexpr std::size_t kShown = 80;
  return {Errc::invalid_argument, "'" + std::string(text.substr(0, kShown)) + "' is not " + expected};
}

template <class Number>
std::optional<Number> to_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Not negative, without exponents, infinities and the like.
std::optional<double> to_decimal(std::string_view text) {
  double number = 0;
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string_view::npos) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The number before a percent sign; nothing where there is none, or it is 0.
std::optional<double> to_percentage(std::string_view text) {
  if (text.empty() || text.back() != '%') return std::nullopt;
  const auto number = to_decimal(text.substr(0, text.size() - 1));
  if (!number || *number <= 0) return std::nullopt;
  return number;
}

}  // namespace

std::uint32_t JobCount::resolve(std::uint32_t cpus) const noexcept {
  std::uint64_t jobs = value;
  if (kind == Kind::percent) jobs = std::uint64_t{cpus} * value / 100;
  if (kind == Kind::more) jobs = std::uint64_t{cpus} + value;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(jobs, 1, kMostJobs));
}

Result<JobCount> parse_job_count(std::string_view text) {
  const Error error = bad(text, "a number of jobs: expected 1 to " + std::to_string(kMostJobs) +
                                    ", a share of the CPUs such as 50%, or more than them such as +2");
  JobCount count;
  std::string_view digits = text;
  if (!text.empty() && text.back() == '%') {
    count.kind = JobCount::Kind::percent;
    digits.remove_suffix(1);
  } else if (!text.empty() && text.front() == '+') {
    count.kind = JobCount::Kind::more;
    digits.remove_prefix(1);
  }
  const auto number = to_number<std::uint32_t>(digits);
  const std::uint32_t least = count.kind == JobCount::Kind::more ? 0 : 1;
  if (!number || *number < least || *number > kMostJobs) return error;
  count.value = *number;
  return count;
}

Result<std::uint64_t> parse_whole_number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  const auto number = to_number<std::uint64_t>(text);
  if (number && *number >= least && *number <= most) return *number;
  const bool open = most == std::numeric_limits<std::uint64_t>::max();
  return bad(text, "a whole number from " + std::to_string(least) + (open ? " on" : " to " + std::to_string(most)));
}

Result<HaltPolicy> parse_halt(std::string_view text) {
  const Error error = bad(text,
                          "a halt policy: expected never, soon or now, and behind soon and now, if wanted, "
                          ",fail=3 or ,fail=10%");
  const auto comma = text.find(',');
  const std::string_view word = text.substr(0, comma);
  HaltPolicy policy;
  if (word == "never") {
    if (comma != std::string_view::npos) return error;
    return policy;
  }
  if (word != "soon" && word != "now") return error;
  policy.when = word == "soon" ? HaltPolicy::When::soon : HaltPolicy::When::now;
  if (comma == std::string_view::npos) return policy;
  constexpr std::string_view kFail = "fail=";
  const std::string_view rest = text.substr(comma + 1);
  if (rest.substr(0, kFail.size()) != kFail) return error;
  const std::string_view limit = rest.substr(kFail.size());
  if (const auto percent = to_percentage(limit)) {
    if (*percent > 100) return error;
    policy.percent = *percent;
    return policy;
  }
  const auto failures = to_number<std::uint64_t>(limit);
  if (!failures || *failures == 0) return error;
  policy.failures = *failures;
  return policy;
}

Result<TimeLimit> parse_time_limit(std::string_view text) {
  TimeLimit limit;
  if (const auto percent = to_percentage(text)) {
    limit.percent_of_median = *percent;
    return limit;
  }
  const auto time = parse_time(text);
  if (!time || time->count() == 0) {
    return bad(text, "a time limit: expected such as 30s, 1.5h, or 200% of the median of the commands so far");
  }
  limit.most = *time;
  return limit;
}

Result<std::chrono::microseconds> parse_time(std::string_view text) {
  const auto duration = parse_duration(text);
  if (!duration) return duration.error();
  return std::chrono::microseconds(*duration);
}

Result<double> parse_load(std::string_view text, std::uint32_t cpus) {
  if (const auto percent = to_percentage(text)) return *percent * cpus / 100;
  const auto load = to_decimal(text);
  if (!load || *load <= 0) return bad(text, "a load: expected such as 4, 1.5, or 80% of the CPUs");
  return *load;
}

Result<int> parse_nice(std::string_view text) {
  const auto nice = to_number<int>(!text.empty() && text.front() == '+' ? text.substr(1) : text);
  if (!nice || *nice < -20 || *nice > 19) return bad(text, "a niceness: expected -20 to 19");
  return *nice;
}

Result<std::vector<std::vector<std::string>>> parse_gpus(std::string_view text) {
  std::vector<std::vector<std::string>> slots;
  std::string_view rest = text;
  while (true) {
    const auto comma = rest.find(',');
    const std::string_view name = rest.substr(0, comma);
    if (name.empty() || name.find_first_of(" \t=") != std::string_view::npos) {
      return bad(text, "a list of GPUs: expected such as 0,1,2");
    }
    slots.push_back({"CUDA_VISIBLE_DEVICES=" + std::string(name)});
    if (comma == std::string_view::npos) return slots;
    rest.remove_prefix(comma + 1);
  }
}

Result<std::string> parse_variable(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return bad(text, "a variable: expected NAME=value");
  return std::string(text);
}

Result<bool> parse_flag(std::string_view text) {
  for (const std::string_view word : {"1", "true", "yes", "on"}) {
    if (text == word) return true;
  }
  for (const std::string_view word : {"0", "false", "no", "off"}) {
    if (text == word) return false;
  }
  return bad(text, "a yes or no: expected 1 or 0");
}

}  // namespace hakuriver::cli
