#include "wire/task_sweep.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hakuriver/task.hpp"
#include "wire/object_reader.hpp"

namespace hakuriver::wire {
namespace {

constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t kMaxAxes = 1'000;
constexpr std::size_t kMaxAxisNameBytes = 255;
constexpr std::size_t kMaxSweepValues = std::size_t{1} << 20;
constexpr std::uint64_t kMaxDecimals = 18;

class SweepReader {
 public:
  SweepReader(const Json& value, InvalidInput& errors, const Path& path) : in_(value, errors, path), errors_(errors) {}

  std::optional<TaskSweep> read() {
    auto axes = read_axes();
    auto words = read_words();
    const SweepOrder order = read_order();
    const SelectionOptions options = read_options();
    auto places = read_places();
    in_.refuse_others();
    if (has_failed()) return std::nullopt;
    auto sweep = Sweep::over(std::move(axes), order);
    if (!sweep) return refuse("axes", sweep.error());
    CommandSweep commands(std::move(words), std::move(names_), std::move(*sweep));
    auto tasks = TaskSweep::make(std::move(commands), options, std::move(places));
    if (!tasks) return refuse("places", tasks.error());
    return std::move(*tasks);
  }

 private:
  bool has_failed() const { return !errors_.empty(); }

  std::nullopt_t refuse(std::string_view name, const Error& error) {
    in_.fail(name, error.message.rfind("must ", 0) == 0 ? error.message : "cannot be: " + error.message);
    return std::nullopt;
  }

  // The member as an array; an empty one where it is missing or wrong, or has too many items.
  const Json::array_t& items(std::string_view name, const Json* value, std::size_t most, const Path& path) {
    static const Json::array_t kNone;
    if (value == nullptr) return kNone;
    if (!value->is_array()) {
      errors_.add(path, "must be an array, not " + describe(*value), "list_type");
      return kNone;
    }
    const auto& array = value->get_ref<const Json::array_t&>();
    if (array.size() <= most) return array;
    errors_.add(path, "must have at most " + std::to_string(most) + " items, as '" + std::string(name) + "' may",
                "too_long");
    return kNone;
  }

  std::vector<Axis> read_axes() {
    std::vector<Axis> axes;
    const auto& array = items("axes", in_.require("axes"), kMaxAxes, in_.path_to("axes"));
    for (std::size_t i = 0; i < array.size() && !has_failed(); ++i) {
      const Path path = in_.path_to("axes") + i;
      ObjectReader axis(array[i], errors_, path);
      std::string name = axis.require("name") == nullptr ? std::string() : axis.text("name");
      check_name(name, axis);
      names_.push_back(std::move(name));
      const bool is_list = axis.find("values") != nullptr;
      auto values = is_list ? read_list(axis) : read_range(axis);
      axis.refuse_others();
      if (values) axes.push_back(std::move(*values));
    }
    return axes;
  }

  void check_name(const std::string& name, ObjectReader& axis) {
    const bool is_bad = name.empty() || name.size() > kMaxAxisNameBytes || name.find('\0') != std::string::npos ||
                        name.find('=') != std::string::npos;
    if (is_bad) axis.fail("name", "must have 1 to 255 bytes, without '=' and NUL");
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) axis.fail("name", "must be given to one axis");
  }

  std::optional<Axis> read_list(ObjectReader& axis) {
    ValueList list;
    list.items = axis.texts("values", kMaxSweepValues);
    list.integers = axis.flag("integers");
    return Axis(std::move(list));
  }

  std::optional<Axis> read_range(ObjectReader& axis) {
    Range::Format format;
    format.decimals = static_cast<std::uint8_t>(axis.whole("decimals", 0, 0, kMaxDecimals));
    format.width = static_cast<std::uint32_t>(axis.whole("width", 0, 0, kMaxArgumentBytes));
    const std::uint64_t step = axis.whole("step", 1, 1, kAny);
    const Json* const first = axis.find("first");
    if (first == nullptr) {
      axis.fail("values", "is required, or 'first' and 'last' are", "missing");
      return std::nullopt;
    }
    const bool is_letter = first->is_string();
    if (is_letter) format = {Range::Kind::letter, 0, 0};
    if (axis.require("last") == nullptr) return std::nullopt;
    const std::int64_t from = is_letter ? read_letter(axis, "first") : axis.integer("first");
    const std::int64_t to = is_letter ? read_letter(axis, "last") : axis.integer("last");
    const auto range = Range::between(from, to, step, format);
    if (range) return Axis(*range);
    axis.fail("last", "cannot be: " + range.error().message);
    return std::nullopt;
  }

  static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

  static std::int64_t read_letter(ObjectReader& axis, std::string_view name) {
    const std::string text = axis.text(name);
    if (text.size() == 1 && is_letter(text[0])) return text[0];
    axis.fail(name, "must be a whole number or, at both ends, an ASCII letter");
    return 'a';
  }

  std::vector<WordTemplate> read_words() {
    std::vector<WordTemplate> words;
    const auto& array = items("words", in_.require("words"), kMaxArgvAndEnvironmentBytes, in_.path_to("words"));
    for (std::size_t i = 0; i < array.size(); ++i) words.push_back(read_word(array[i], in_.path_to("words") + i));
    if (array.empty() && !has_failed()) in_.fail("words", "must have at least one word", "too_short");
    return words;
  }

  WordTemplate read_word(const Json& value, const Path& path) {
    WordTemplate word;
    if (!value.is_array()) return {read_piece(value, path)};
    const auto& pieces = items("words", &value, kMaxAxes, path);
    for (std::size_t i = 0; i < pieces.size(); ++i) word.push_back(read_piece(pieces[i], path + i));
    if (pieces.empty()) errors_.add(path, "must have at least one piece", "too_short");
    return word;
  }

  WordPiece read_piece(const Json& value, const Path& path) {
    WordPiece piece;
    const bool is_text = value.is_string() || (value.is_object() && value.contains("base64"));
    if (is_text) {
      piece.text = read_text(value, errors_, path);
      return piece;
    }
    ObjectReader object(value, errors_, path);
    if (object.find("run") != nullptr) {
      if (object.text("run") != "number") object.fail("run", "must be \"number\"");
      piece.run_word = RunWord::number;
    } else if (value.is_object()) {
      const std::string name = object.require("axis") == nullptr ? std::string() : object.text("axis");
      const auto found = std::find(names_.begin(), names_.end(), name);
      if (found == names_.end()) object.fail("axis", "must be the name of one of the axes");
      piece.axis = static_cast<std::size_t>(found - names_.begin());
      piece.is_quoted = object.flag("quoted");
    }
    object.refuse_others();
    return piece;
  }

  SweepOrder read_order() {
    const std::string text = in_.text("order", std::string(kSweepOrders[0]));
    const auto found = std::find(kSweepOrders.begin(), kSweepOrders.end(), text);
    if (found == kSweepOrders.end()) in_.fail("order", "must be first_slowest, first_fastest or together");
    return static_cast<SweepOrder>(found == kSweepOrders.end() ? 0 : found - kSweepOrders.begin());
  }

  SelectionOptions read_options() {
    SelectionOptions options;
    options.from = in_.whole("from", 1, 1, kAny);
    if (in_.find("limit") != nullptr) options.limit = in_.whole("limit", 1, 1, kAny);
    if (in_.find("sample") != nullptr) options.sample = in_.whole("sample", 1, 1, kAny);
    options.shuffle = in_.flag("shuffle");
    options.seed = in_.whole("seed", 0, 0, kAny);
    return options;
  }

  std::vector<PlaceRange> read_places() {
    std::vector<PlaceRange> places;
    const Path path = in_.path_to("places");
    const auto& array = items("places", in_.find("places"), kMaxPlaceRanges, path);
    for (std::size_t i = 0; i < array.size() && !has_failed(); ++i) {
      const Json& pair = array[i];
      const bool fits =
          pair.is_array() && pair.size() == 2 && pair[0].is_number_unsigned() && pair[1].is_number_unsigned();
      if (!fits) {
        errors_.add(path + i, "must be a pair of a place and a count, not " + describe(pair));
        break;
      }
      places.push_back({pair[0].get<std::uint64_t>(), pair[1].get<std::uint64_t>()});
    }
    return places;
  }

  ObjectReader in_;
  InvalidInput& errors_;
  std::vector<std::string> names_;
};

struct Lengths {
  std::size_t least = 0;
  std::size_t most = 0;
  std::size_t quoted = 0;  // the most, as a shell needs it
};

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// The values at the ends of a range have the most digits; between them may be shorter ones, of one byte at least.
Lengths lengths_of(const Axis& axis, bool& nul) {
  if (axis.size() == 0) return {};
  if (std::get_if<Range>(&axis.values()) != nullptr) {
    const std::size_t most = std::max(axis.at(0).text.size(), axis.at(axis.size() - 1).text.size());
    return {1, most, most};
  }
  Lengths lengths{std::numeric_limits<std::size_t>::max(), 0, 0};
  for (const auto& item : std::get_if<ValueList>(&axis.values())->items) {
    lengths = {std::min(lengths.least, item.size()), std::max(lengths.most, item.size()),
               std::max(lengths.quoted, shell_quote(item).size())};
    nul = nul || has_nul(item);
  }
  return lengths;
}

Lengths lengths_of(const WordTemplate& word, const std::vector<Lengths>& axes, bool& nul) {
  constexpr std::size_t kNumber = 20;
  Lengths all;
  for (const auto& piece : word) {
    Lengths one{1, kNumber};
    if (piece.is_text()) one = {piece.text.size(), piece.text.size()};
    if (piece.axis) one = axes[*piece.axis];
    if (piece.is_quoted) one.most = one.quoted;
    nul = nul || has_nul(piece.text);
    all = {all.least + one.least, all.most + one.most};
  }
  return all;
}

}  // namespace

std::optional<TaskSweep> read_task_sweep(const Json& value, InvalidInput& errors, const Path& path) {
  if (!value.is_object()) {
    errors.add(path, "must be an object, not " + describe(value), "dict_type");
    return std::nullopt;
  }
  return SweepReader(value, errors, path).read();
}

Result<TaskSweep> decode_task_sweep(std::string_view text) {
  const auto json = parse_json(text);
  if (!json) return json.error();
  InvalidInput errors;
  auto sweep = read_task_sweep(*json, errors, {});
  if (!sweep) return errors.error();
  return std::move(*sweep);
}

SweepSize measure(const CommandSweep& sweep) {
  constexpr std::size_t kFixedVariables = 80;  // HAKURUN_INDEX and HAKURUN_TOTAL with 20 digits each
  constexpr std::size_t kPrefix = sizeof "HAKURUN_PARAM_=";
  SweepSize size;
  std::vector<Lengths> axes;
  std::size_t name = sizeof "HAKURUN_NAME=";
  size.variables_bytes = kFixedVariables;
  for (std::size_t i = 0; i < sweep.names().size(); ++i) {
    axes.push_back(lengths_of(sweep.sweep().axes()[i], size.has_nul));
    const std::size_t entry = sweep.names()[i].size() + axes.back().most;
    name += entry + 2;
    size.variables_bytes += entry + kPrefix;
    size.longest_variable = std::max(size.longest_variable, entry + kPrefix);
  }
  size.variables_bytes += name;
  size.longest_variable = std::max(size.longest_variable, name);
  for (const auto& word : sweep.words()) {
    const Lengths lengths = lengths_of(word, axes, size.has_nul);
    if (&word == &sweep.words().front()) size.shortest_command = lengths.least;
    size.longest_argument = std::max(size.longest_argument, lengths.most);
    size.argv_bytes += lengths.most + 1;
  }
  return size;
}

}  // namespace hakuriver::wire
