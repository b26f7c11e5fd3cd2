#include "config/toml_file.hpp"

#include <algorithm>
#include <sstream>

#include <toml.hpp>

namespace hakuriver::config {
namespace {

// The library parses by recursion without a limit of its own (20,000 brackets end the process), so what could nest
// is counted before.
constexpr std::size_t kMaxBrackets = 256;
constexpr std::size_t kMaxDotsInLine = 1000;
constexpr std::size_t kMaxLines = 10'000;

std::string at_line(const std::string& name, std::size_t line) { return name + ":" + std::to_string(line) + ": "; }

std::size_t count_of(std::string_view text, char wanted) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), wanted));
}

// How many bytes the UTF-8 character at the front takes (RFC 3629, 4); 0 where there is none.
std::size_t utf8_size(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool outside = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  return overlong || outside ? 0 : size;
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t size = utf8_size(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

bool is_blank_or_comment(std::string_view line) noexcept {
  const auto first = line.find_first_not_of(" \t");
  return first == std::string_view::npos || line[first] == '#';
}

// What must hold before the library may see the text. It compares iterators of two strings (undefined behaviour)
// where a quoted text is not UTF-8.
Status check_text(const std::string& text, const std::string& name) {
  std::size_t brackets = 0;
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view content = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    if (++line > kMaxLines) return Error{Errc::limit, at_line(name, line) + "more than 10000 lines"};
    if (!is_utf8(content)) return Error{Errc::parse, at_line(name, line) + "not UTF-8"};
    if (is_blank_or_comment(content)) continue;
    brackets += count_of(content, '[') + count_of(content, '{');
    if (brackets > kMaxBrackets) {
      return Error{Errc::limit, at_line(name, line) + "more than 256 opening brackets in one file"};
    }
    if (count_of(content, '.') > kMaxDotsInLine) {
      return Error{Errc::limit, at_line(name, line) + "more than 1000 dots in one line"};
    }
  }
  return Unit{};
}

// The first line of the library's report, "[error] toml::parse_table: invalid line format", without what only the
// library's authors need.
std::string short_reason(std::string_view report) {
  report = report.substr(0, report.find('\n'));
  constexpr std::string_view kMark = "[error] ";
  if (report.substr(0, kMark.size()) == kMark) report.remove_prefix(kMark.size());
  const auto colon = report.find(": ");
  const std::string_view function = report.substr(0, std::min(colon, report.size()));
  const bool is_function = function.find("parse_") != std::string_view::npos || function.find("toml::") == 0;
  if (colon != std::string_view::npos && is_function) report.remove_prefix(colon + 2);
  while (!report.empty() && (report.back() == '.' || report.back() == ' ')) report.remove_suffix(1);
  std::string reason;
  for (const char c : report.substr(0, 200)) reason += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return reason.empty() ? "not TOML" : reason;
}

// What the library's words leave open.
std::string expected_instead(std::string_view line, std::string reason) {
  const auto first = line.find_first_not_of(" \t");
  const bool is_open_header =
      first != std::string_view::npos && line[first] == '[' && line.find(']') == std::string_view::npos;
  if (is_open_header) return "the ']' is missing: expected [SECTION]";
  if (reason == "an invalid key appeared" || reason == "invalid line format") {
    return reason + ": expected KEY = VALUE or [SECTION]";
  }
  constexpr std::string_view kValues = ": expected a number, true, false, a \"text\" or a [list]";
  if (reason == "bad format: unknown value appeared") return "unknown value" + std::string(kValues);
  if (reason == "the next token is not a valid string") return "text without an end: expected a closing quote";
  return reason;
}

std::string_view line_at(std::string_view text, std::size_t number) {
  for (; number > 1; --number) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  text = text.substr(0, text.find_first_of("\r\n"));
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{} : text.substr(first);
}

Error not_toml(const std::string& text, const std::string& name, std::size_t line, std::string_view report) {
  const std::string_view content = line_at(text, line);
  return {Errc::parse, at_line(name, line) + quote(content) + ": " + expected_instead(content, short_reason(report))};
}

Given given_of(const toml::value& value) {
  switch (value.type()) {
    case toml::value_t::boolean:
      return value.as_boolean(std::nothrow);
    case toml::value_t::integer:
      return std::int64_t{value.as_integer(std::nothrow)};
    case toml::value_t::floating:
      return double{value.as_floating(std::nothrow)};
    case toml::value_t::string:
      return std::string(value.as_string(std::nothrow).str);
    case toml::value_t::table:
      return Other{"a table"};
    case toml::value_t::array:
      break;
    case toml::value_t::empty:
      return Other{"nothing"};
    default:
      return Other{"a date or time"};
  }
  std::vector<std::string> items;
  for (const auto& item : value.as_array(std::nothrow)) {
    if (!item.is_string()) return Other{"a list that holds something else"};
    items.emplace_back(item.as_string(std::nothrow).str);
  }
  return items;
}

std::size_t line_of(const toml::value& value) { return static_cast<std::size_t>(value.location().line()); }

void add_section(const std::string& section, const toml::value& table, std::vector<Setting>& settings) {
  settings.push_back({section, "", Other{"a table"}, line_of(table), true});
  for (const auto& entry : table.as_table(std::nothrow)) {
    settings.push_back({section, entry.first, given_of(entry.second), line_of(entry.second)});
  }
}

std::vector<Setting> settings_of(const toml::value& root) {
  std::vector<Setting> settings;
  if (!root.is_table()) return settings;
  for (const auto& entry : root.as_table(std::nothrow)) {
    if (entry.second.is_table()) {
      add_section(entry.first, entry.second, settings);
    } else {
      settings.push_back({"", entry.first, given_of(entry.second), line_of(entry.second)});
    }
  }
  // The library's tables have no order.
  std::sort(settings.begin(), settings.end(), [](const Setting& a, const Setting& b) {
    return std::tie(a.line, a.section, a.name) < std::tie(b.line, b.section, b.name);
  });
  return settings;
}

}  // namespace

Result<std::vector<Setting>> parse_toml(const std::string& text, const std::string& name) {
  if (const auto sound = check_text(text, name); !sound) return sound.error();
  try {
    std::istringstream stream(text, std::ios::binary);
    return settings_of(toml::parse(stream, name));
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const toml::exception& error) {
    return not_toml(text, name, static_cast<std::size_t>(error.location().line()), error.what());
  } catch (const std::exception& error) {
    return Error{Errc::parse, name + ": " + short_reason(error.what())};
  }
}

}  // namespace hakuriver::config
