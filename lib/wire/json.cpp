#include "wire/json.hpp"

#include <utility>
#include <vector>

#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

// Builds the value while it is read, and stops at the first bound that is passed.
class Builder final : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(const JsonBounds& bounds) : bounds_(bounds) {}

  Json& value() noexcept { return root_; }
  const Error& error() const noexcept { return error_; }

  bool null() override { return put(Json(nullptr)); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_integer(number_integer_t value) override { return put(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(Json(value)); }
  bool number_float(number_float_t value, const string_t& text) override {
    // The parser falls back to a double where a whole number needs more than 64 bits.
    if (text.find_first_of(".eE") == std::string::npos)
      return stop("the number " + text.substr(0, 40) + " is too large");
    return put(Json(value));
  }
  bool string(string_t& value) override { return put(Json(std::move(value))); }
  bool binary(binary_t& /*value*/) override { return stop("binary values are not expected"); }
  bool start_object(std::size_t /*size*/) override { return enter(Json::object()); }
  bool start_array(std::size_t /*size*/) override { return enter(Json::array()); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    const auto [place, is_new] = open_.back()->get_ref<Json::object_t&>().try_emplace(name);
    if (!is_new) return stop("'" + name.substr(0, 64) + "' stands twice in one object", Errc::parse);
    member_ = &place->second;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& /*token*/, const Json::exception& /*why*/) override {
    return stop("not JSON at byte " + std::to_string(position), Errc::parse);
  }

 private:
  bool stop(std::string message, Errc code = Errc::limit) {
    error_ = {code, std::move(message)};
    return false;
  }

  bool put(Json value) { return place(std::move(value)) != nullptr; }

  Json* place(Json value) {
    if (++values_ > bounds_.values) {
      stop("JSON with more than " + std::to_string(bounds_.values) + " values");
      return nullptr;
    }
    if (open_.empty()) return &(root_ = std::move(value));
    if (Json* const member = std::exchange(member_, nullptr)) return &(*member = std::move(value));
    auto& items = open_.back()->get_ref<Json::array_t&>();
    items.push_back(std::move(value));
    return &items.back();
  }

  bool enter(Json value) {
    if (open_.size() == bounds_.depth) return stop("JSON with more than " + std::to_string(bounds_.depth) + " levels");
    Json* const placed = place(std::move(value));
    if (placed != nullptr) open_.push_back(placed);
    return placed != nullptr;
  }

  bool leave() {
    open_.pop_back();
    return true;
  }

  JsonBounds bounds_;
  Json root_;
  std::vector<Json*> open_;  // from the outermost; each stays where it is until it is left
  Json* member_ = nullptr;   // where the value after a key goes
  Error error_;
  std::size_t values_ = 0;
};

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonBounds& bounds) {
  if (text.size() > bounds.bytes) {
    return Error{Errc::limit,
                 "JSON of " + std::to_string(text.size()) + " bytes: expected at most " + std::to_string(bounds.bytes)};
  }
  Builder builder(bounds);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) return builder.error();
  return std::move(builder.value());
}

std::string describe(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (!value.is_string()) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  constexpr std::size_t kMost = 48;
  const auto& text = value.get_ref<const std::string&>();
  std::string quoted;
  append_text(quoted, std::string_view(text).substr(0, kMost), NotUtf8::replace);
  return text.size() > kMost ? quoted + "..." : quoted;
}

}  // namespace hakuriver::wire
