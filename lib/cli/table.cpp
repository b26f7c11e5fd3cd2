#include "cli/table.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <utility>

#include "wire/json_text.hpp"

namespace hakuriver::cli {
namespace {

constexpr std::size_t kLeastWidth = 40;
constexpr std::size_t kLeastColumn = 8;
constexpr std::string_view kGap = "  ";
constexpr std::string_view kEllipsis = "…";

constexpr bool is_continuation(char byte) noexcept { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; }

std::optional<std::size_t> columns_from_environment() {
  const char* text = std::getenv("COLUMNS");
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  std::size_t width = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), width);
  if (error != std::errc{} || end != digits.data() + digits.size() || width == 0) return std::nullopt;
  return width;
}

void append_escaped(std::string& out, char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (byte == '\n') {
    out += "\\n";
  } else if (byte == '\t') {
    out += "\\t";
  } else if (byte == '\r') {
    out += "\\r";
  } else {
    out += "\\x";
    out += kDigits[static_cast<unsigned char>(byte) >> 4U];
    out += kDigits[static_cast<unsigned char>(byte) & 15U];
  }
}

// Bytes of the code point at the front: 0 where there is none, or where it is a control character.
std::size_t visible_prefix(std::string_view text) noexcept {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return first < 0x20 || first == 0x7f ? 0 : 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (size > text.size() || !wire::is_utf8(text.substr(0, size))) return 0;
  const bool is_control = first == 0xC2 && static_cast<unsigned char>(text[1]) < 0xA0;  // U+0080 to U+009F
  return is_control ? 0 : size;
}

std::string_view escape_of(Tone tone) noexcept {
  switch (tone) {
    case Tone::plain:
      return "";
    case Tone::good:
      return "\x1b[32m";
    case Tone::busy:
      return "\x1b[36m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::faint:
      return "\x1b[2m";
  }
  return "";
}

}  // namespace

Look look_of_output() {
  Look look;
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  winsize size{};
  if (is_terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) look.width = size.ws_col;
  look.width = std::max(kLeastWidth, columns_from_environment().value_or(look.width));
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  look.has_colour =
      is_terminal && (no_color == nullptr || *no_color == '\0') && term != nullptr && std::string_view(term) != "dumb";
  return look;
}

std::string printable(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = visible_prefix(text);
    if (size == 0) {
      append_escaped(out, text[0]);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); }));
}

std::string shorten(std::string_view text, std::size_t width) {
  if (width_of(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::size_t at = 0;
  for (std::size_t kept = 0; kept < width; ++at) {
    if (!is_continuation(text[at])) ++kept;
    if (kept == width) break;
  }
  return std::string(text.substr(0, at)) + std::string(kEllipsis);
}

std::string coloured(std::string_view text, Tone tone, const Look& look) {
  if (!look.has_colour || tone == Tone::plain) return std::string(text);
  return std::string(escape_of(tone)) + std::string(text) + "\x1b[0m";
}

void Table::add(std::vector<Cell> row) {
  for (auto& cell : row) cell.text = printable(cell.text);
  row.resize(columns_.size());
  rows_.push_back(std::move(row));
}

std::vector<std::size_t> Table::widths(std::size_t most) const {
  std::vector<std::size_t> widths;
  std::size_t total = kGap.size() * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = width_of(columns_[i].heading);
    for (const auto& row : rows_) width = std::max(width, width_of(row[i].text));
    widths.push_back(width);
    total += width;
  }
  while (total > most) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (!columns_[i].shrinks || widths[i] <= kLeastColumn) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
    --total;
  }
  return widths;
}

void Table::append_row(std::string& out, const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                       const Look& look) const {
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (i > 0) out += kGap;
    const std::string text = shorten(row[i].text, widths[i]);
    const std::string padding(widths[i] - width_of(text), ' ');
    if (columns_[i].is_right) out += padding;
    out += coloured(text, row[i].tone, look);
    if (!columns_[i].is_right && i + 1 < row.size()) out += padding;
  }
  out.erase(out.find_last_not_of(' ') + 1);
  out += '\n';
}

std::string Table::render(const Look& look) const {
  const auto all = widths(look.width);
  std::string out;
  std::vector<Cell> headings;
  for (const auto& column : columns_) headings.push_back({std::string(column.heading), Tone::plain});
  append_row(out, headings, all, look);
  for (const auto& row : rows_) append_row(out, row, all, look);
  return out;
}

}  // namespace hakuriver::cli
