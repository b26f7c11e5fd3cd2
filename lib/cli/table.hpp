// Text in columns, for people: as wide as the terminal, in colour where that helps.
//
//   Table table({{.heading = "ID"}, {.heading = "COMMAND", .shrinks = true}});
//   table.add({{"7"}, {"echo hello"}});
//   out << table.render(look_of_output());
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hakuriver::cli {

enum class Tone : std::uint8_t { plain, good, busy, bad, faint };

struct Cell {
  std::string text{};
  Tone tone = Tone::plain;
};

struct Column {
  std::string_view heading;
  bool is_right = false;
  bool shrinks = false;  // loses its end where the line would be too long
};

struct Look {
  std::size_t width = 80;  // columns
  bool has_colour = false;
};

// How standard output looks: the terminal's width (80 where it is none, $COLUMNS goes before both), and colour on a
// terminal that can show it unless $NO_COLOR is set.
Look look_of_output();

// Text that cannot move the cursor or break a line: control bytes and bytes that are not UTF-8 become \n, \xNN and
// the like.
std::string printable(std::string_view text);

// Columns that the text takes, counting each code point as one.
std::size_t width_of(std::string_view text) noexcept;

// At most `width` columns; what was cut off shows as an ellipsis.
std::string shorten(std::string_view text, std::size_t width);

std::string coloured(std::string_view text, Tone tone, const Look& look);

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as there are columns; their text is made printable here.
  void add(std::vector<Cell> row);
  // Headings and rows, each line with its end.
  std::string render(const Look& look) const;

 private:
  std::vector<std::size_t> widths(std::size_t most) const;
  void append_row(std::string& out, const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                  const Look& look) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace hakuriver::cli
