#include "wire/invalid_input.hpp"

#include "wire/json_text.hpp"

namespace hakuriver::wire {
namespace {

std::string spelled(const Path& path) {
  std::string text;
  for (const auto& step : path) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      text += "[" + std::to_string(*index) + "]";
    } else {
      text += (text.empty() ? "" : ".") + *std::get_if<std::string>(&step);
    }
  }
  return text;
}

void append_step(std::string& out, const PathStep& step) {
  if (const auto* index = std::get_if<std::size_t>(&step)) return append_number(out, *index);
  append_text(out, *std::get_if<std::string>(&step), NotUtf8::replace);
}

}  // namespace

void InvalidInput::add(Path path, std::string message, std::string type) {
  constexpr std::size_t kMost = 20;
  if (errors_.size() < kMost) errors_.push_back({std::move(path), std::move(message), std::move(type)});
}

std::string InvalidInput::body() const {
  std::string out;
  ObjectWriter object(out, NotUtf8::replace);
  append_array(object.member("detail"), errors_, [](std::string& to, const FieldError& error) {
    Path place{std::string("body")};
    place.insert(place.end(), error.path.begin(), error.path.end());
    ObjectWriter one(to, NotUtf8::replace);
    append_array(one.member("loc"), place, append_step);
    one.text("msg", error.message);
    one.text("type", error.type);
    one.close();
  });
  object.close();
  return out;
}

Error InvalidInput::error() const {
  if (errors_.empty()) return {Errc::internal, "nothing is wrong with the input"};
  const FieldError& first = errors_.front();
  const std::string name = first.path.empty() ? "the body" : "'" + spelled(first.path) + "'";
  return {Errc::parse, name + " " + first.message};
}

}  // namespace hakuriver::wire
