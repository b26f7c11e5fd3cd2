#include "wire/task_sweep_text.hpp"

#include <variant>
#include <vector>

#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

void append_piece(std::string& out, const WordPiece& piece, const std::vector<std::string>& names) {
  if (piece.is_text()) return append_text(out, piece.text);
  ObjectWriter object(out);
  if (piece.axis) {
    object.text("axis", names[*piece.axis]);
    if (piece.is_quoted) object.flag("quoted", true);
  } else {
    object.text("run", "number");
  }
  object.close();
}

void append_words(std::string& out, const CommandSweep& commands) {
  append_array(out, commands.words(), [&](std::string& to, const WordTemplate& word) {
    const auto piece = [&](std::string& text, const WordPiece& it) { append_piece(text, it, commands.names()); };
    if (word.size() == 1) return piece(to, word.front());
    append_array(to, word, piece);
  });
}

void append_range(ObjectWriter& object, const Range& range) {
  const auto format = range.format();
  if (format.kind == Range::Kind::letter) {
    object.text("first", std::string(1, static_cast<char>(range.first())));
    object.text("last", std::string(1, static_cast<char>(range.last())));
  } else {
    object.number("first", range.first());
    object.number("last", range.last());
  }
  if (range.step() != 1 && range.size() > 1) object.number("step", range.step());
  if (format.decimals != 0) object.number("decimals", static_cast<unsigned>(format.decimals));
  if (format.width != 0) object.number("width", format.width);
}

void append_axis(std::string& out, const std::string& name, const Axis& axis) {
  ObjectWriter object(out);
  object.text("name", name);
  if (const auto* range = std::get_if<Range>(&axis.values())) {
    append_range(object, *range);
  } else {
    const auto& list = *std::get_if<ValueList>(&axis.values());
    const auto item = [](std::string& to, const std::string& text) { append_text(to, text); };
    append_array(object.member("values"), list.items, item);
    if (list.integers) object.flag("integers", true);
  }
  object.close();
}

void append_axes(std::string& out, const CommandSweep& commands) {
  out += '[';
  const auto& axes = commands.sweep().axes();
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (i > 0) out += ',';
    append_axis(out, commands.names()[i], axes[i]);
  }
  out += ']';
}

void append_choice(ObjectWriter& object, const TaskSweep& sweep) {
  const SelectionOptions& options = sweep.options();
  if (options.from != 1) object.number("from", options.from);
  if (options.limit) object.number("limit", *options.limit);
  if (options.sample) object.number("sample", *options.sample);
  if (options.shuffle) object.flag("shuffle", true);
  if (options.seed != 0) object.number("seed", options.seed);
  if (sweep.places().empty()) return;
  append_array(object.member("places"), sweep.places(), [](std::string& to, const PlaceRange& range) {
    to += '[';
    append_number(to, range.first);
    to += ',';
    append_number(to, range.count);
    to += ']';
  });
}

}  // namespace

void append_task_sweep(std::string& out, const TaskSweep& sweep) {
  const CommandSweep& commands = sweep.commands();
  ObjectWriter object(out);
  append_words(object.member("words"), commands);
  append_axes(object.member("axes"), commands);
  const SweepOrder order = commands.sweep().order();
  if (order != SweepOrder::first_slowest) object.text("order", kSweepOrders[static_cast<std::size_t>(order)]);
  append_choice(object, sweep);
  object.close();
}

}  // namespace hakuriver::wire
