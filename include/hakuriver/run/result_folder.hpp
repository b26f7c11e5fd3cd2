// The names of result folders, and what is written about a command in its folder.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hakuriver/plan.hpp"
#include "hakuriver/run/quoted_text.hpp"
#include "hakuriver/run_events.hpp"
#include "hakuriver/time.hpp"

namespace hakuriver {
inline namespace v1 {

namespace result_folder_detail {

inline void append_hex(std::string& text, std::uint64_t number, int digits) {
  for (int i = digits - 1; i >= 0; --i) text += "0123456789abcdef"[(number >> (4 * i)) & 0xf];
}

inline void append_escaped(std::string& json, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') json += '\\';
    if (byte >= 0x20) {
      json += c;
    } else {
      json += "\\u";
      append_hex(json, byte, 4);
    }
  }
}

// RFC 4648, section 4.
inline void append_base64(std::string& json, std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  while (!bytes.empty()) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0);
    for (std::size_t i = 0; i < 4; ++i) json += i <= bytes.size() ? kDigits[(group >> (18 - 6 * i)) & 0x3f] : '=';
    bytes.remove_prefix(bytes.size() < 3 ? bytes.size() : 3);
  }
}

// Whether the text of a whole number is also JSON's for it: no zeros in front, and not so long that readers lose
// digits.
constexpr bool is_json_integer(std::string_view text) noexcept {
  if (!is_whole_number(text)) return false;
  if (text == "0") return true;
  if (text.front() == '-') text.remove_prefix(1);
  return text.front() != '0' && text.size() <= 15;
}

}  // namespace result_folder_detail

// A JSON string; bytes that are not UTF-8 as {"base64": "..."}.
inline std::string json_text(std::string_view text) {
  std::string json;
  if (is_utf8(text)) {
    json = '"';
    result_folder_detail::append_escaped(json, text);
    return json + '"';
  }
  json = "{\"base64\": \"";
  result_folder_detail::append_base64(json, text);
  return json + "\"}";
}

// What the folder of a command is called: its name, or its number in the plan (from 1) where it has none.
//   lr=0.1,batch=32      as it is
//   a slash, a percent sign, a control character, a byte that is not UTF-8, a dot or a dash in front: %2F, ...
//   more than 200 bytes: the beginning, '~', and 16 hexadecimal digits that are made of the whole name
// So different names have different folders. Where a plan has the same name twice, which only a repeated value gives,
// the later ones have '~' and their number behind.
inline std::string result_folder_name(std::string_view name, std::uint64_t number) {
  constexpr std::size_t kLongest = 200;
  if (name.empty()) return std::to_string(number);
  std::string folder;
  std::size_t cut = 0;  // where a character begins, within what is kept of a name that is too long
  for (std::string_view rest = name; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    const auto byte = static_cast<unsigned char>(rest.front());
    const bool leads = folder.empty() && (byte == '.' || byte == '-');
    if (folder.size() <= kLongest) cut = folder.size();
    if (length == 0 || byte < 0x20 || byte == 0x7f || byte == '/' || byte == '%' || byte == '~' || leads) {
      folder += '%';
      result_folder_detail::append_hex(folder, byte, 2);
    } else {
      folder += rest.substr(0, length);
    }
    rest.remove_prefix(length == 0 ? 1 : length);
  }
  if (folder.size() <= kLongest) return folder;
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  folder.resize(cut);
  folder += '~';
  result_folder_detail::append_hex(folder, hash, 16);
  return folder;
}

// params.json: the command's number (from 1), name, words and parameters. A whole number is a number there.
inline std::string params_json(const Command& command, std::uint64_t number) {
  std::string json = "{\n  \"index\": " + std::to_string(number) + ",\n  \"name\": " + json_text(command.name);
  json += ",\n  \"command\": [";
  for (const auto& word : command.argv) {
    if (&word != &command.argv.front()) json += ", ";
    json += json_text(word);
  }
  json += "],\n  \"parameters\": {";
  for (const auto& parameter : command.parameters) {
    if (&parameter != &command.parameters.front()) json += ", ";
    const bool number_like = parameter.value.is_integer && result_folder_detail::is_json_integer(parameter.value.text);
    const std::string key = json_text(is_utf8(parameter.name) ? std::string_view(parameter.name) : "?");
    json += key + ": " + (number_like ? parameter.value.text : json_text(parameter.value.text));
  }
  return json + "}\n}\n";
}

// The number that params_json() was given; none where it is not its text.
inline std::optional<std::uint64_t> number_in_params_json(std::string_view json) {
  constexpr std::string_view kBegin = "{\n  \"index\": ";
  if (json.substr(0, kBegin.size()) != kBegin) return std::nullopt;
  std::uint64_t number = 0;
  const auto digits = json.substr(kBegin.size());
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end == digits.data() + digits.size() || *end != ',') return std::nullopt;
  return number;
}

// outcome.json: how the last attempt ended. "exit_code" or "signal" is null where there is none.
inline std::string outcome_json(const RunEnd& end) {
  const bool exited = end.outcome.kind == OutcomeKind::exited;
  const bool signaled = end.outcome.kind == OutcomeKind::signaled || end.outcome.kind == OutcomeKind::oom_killed;
  const auto seconds = [](std::int64_t microseconds) {
    std::string text = std::to_string(microseconds / 1'000'000) + ".";
    const std::string rest = std::to_string(microseconds % 1'000'000);
    return text + std::string(6 - rest.size(), '0') + rest;
  };
  const bool good = end.verdict == EndVerdict::succeeded;
  std::string json = std::string("{\n  \"succeeded\": ") + (good ? "true" : "false");
  json += ",\n  \"exit_code\": " + (exited ? std::to_string(end.outcome.value) : "null");
  json += ",\n  \"signal\": " + (signaled ? std::to_string(end.outcome.value) : "null");
  json += std::string(",\n  \"timed_out\": ") + (end.timed_out ? "true" : "false");
  json += ",\n  \"attempt\": " + std::to_string(end.attempt);
  json += ",\n  \"started\": " + (end.started_at == UtcTime{} ? "null" : "\"" + to_iso8601(end.started_at) + "\"");
  json += ",\n  \"seconds\": " + seconds(end.elapsed.count());
  json += ",\n  \"cpu_seconds\": " + seconds(static_cast<std::int64_t>(end.usage.cpu_microseconds));
  json += ",\n  \"max_rss_bytes\": " + std::to_string(end.usage.max_rss_bytes);
  if (!end.message.empty()) json += ",\n  \"error\": " + json_text(end.message);
  return json + "\n}\n";
}

}  // namespace v1
}  // namespace hakuriver
