#include "wire/object_reader.hpp"

#include <cmath>
#include <limits>

#include "hakuriver/ids.hpp"
#include "hakuriver/resources.hpp"
#include "wire/json_text.hpp"

namespace hakuriver::wire {

Path operator+(Path path, PathStep step) {
  path.push_back(std::move(step));
  return path;
}

std::string read_text(const Json& value, InvalidInput& errors, const Path& path) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  const auto coded = value.is_object() && value.size() == 1 ? value.find("base64") : value.end();
  if (!value.is_object() || coded == value.end() || !coded->is_string()) {
    errors.add(path, "must be text, not " + describe(value), "string_type");
    return {};
  }
  auto bytes = from_base64(coded->get_ref<const std::string&>());
  if (!bytes) errors.add(path, "must hold base64, not " + describe(*coded));
  return bytes ? *std::move(bytes) : std::string{};
}

ObjectReader::ObjectReader(const Json& value, InvalidInput& errors, Path path)
    : object_(value), errors_(errors), path_(std::move(path)) {
  if (!value.is_object()) errors_.add(path_, "must be an object, not " + describe(value), "dict_type");
}

Path ObjectReader::path_to(std::string_view name) const { return path_ + std::string(name); }

void ObjectReader::fail(std::string_view name, std::string message, std::string type) {
  errors_.add(path_to(name), std::move(message), std::move(type));
}

const Json* ObjectReader::find(std::string_view name) {
  if (!object_.is_object()) return nullptr;
  known_.emplace(name);
  const auto& members = object_.get_ref<const Json::object_t&>();
  const auto found = members.find(name);
  return found == members.end() || found->second.is_null() ? nullptr : &found->second;
}

const Json* ObjectReader::require(std::string_view name) {
  const Json* const value = find(name);
  if (value == nullptr && object_.is_object()) fail(name, "is required", "missing");
  return value;
}

std::string ObjectReader::text(std::string_view name, std::string fallback) {
  const Json* const value = find(name);
  return value == nullptr ? std::move(fallback) : read_text(*value, errors_, path_to(name));
}

bool ObjectReader::flag(std::string_view name, bool fallback) {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) fail(name, "must be true or false, not " + describe(*value), "bool_type");
  return value->is_boolean() ? value->get<bool>() : fallback;
}

std::uint64_t ObjectReader::whole(std::string_view name, std::uint64_t fallback, std::uint64_t least,
                                  std::uint64_t most) {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  const bool fits =
      value->is_number_unsigned() && value->get<std::uint64_t>() >= least && value->get<std::uint64_t>() <= most;
  if (fits) return value->get<std::uint64_t>();
  fail(name,
       "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) + ", not " +
           describe(*value),
       "int_type");
  return fallback;
}

std::int64_t ObjectReader::integer(std::string_view name, std::int64_t fallback) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::int64_t>::max();
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  // Unsigned is what the parser makes of every number without a sign.
  const bool fits = value->is_number_unsigned() ? value->get<std::uint64_t>() <= kMost : value->is_number_integer();
  if (!fits) fail(name, "must be a whole number, not " + describe(*value), "int_type");
  return fits ? value->get<std::int64_t>() : fallback;
}

double ObjectReader::decimal(std::string_view name, double fallback) {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number()) fail(name, "must be a number, not " + describe(*value), "float_type");
  return value->is_number() ? value->get<double>() : fallback;
}

std::uint64_t ObjectReader::id(std::string_view name) {
  const Json* const value = require(name);
  if (value == nullptr) return 0;
  const bool digits = value->is_number_unsigned() || value->is_string();
  const auto parsed = digits ? parse_id(value->is_string() ? value->get_ref<const std::string&>() : value->dump())
                             : Result<std::uint64_t>(Error{});
  if (!parsed) fail(name, "must be an id, not " + describe(*value), "int_type");
  return parsed ? *parsed : 0;
}

std::uint64_t ObjectReader::millicores(std::string_view name, std::uint64_t fallback) {
  const Json* const value = find(name);
  if (value == nullptr) return fallback;
  std::string spelled;
  if (value->is_string()) spelled = value->get_ref<const std::string&>();
  if (value->is_number_unsigned()) spelled = value->dump();
  if (value->is_number_float() && std::fabs(value->get<double>()) <= static_cast<double>(kMaxCores)) {
    // 0.1 has no exact double: what is nearest to thousandths is meant.
    const double thousandths = value->get<double>() * 1000;
    const bool near = std::fabs(thousandths - std::round(thousandths)) < 1e-6 && thousandths >= 0;
    if (near) append_thousandths(spelled, static_cast<std::uint64_t>(std::llround(thousandths)));
  }
  const auto parsed = parse_cores(spelled);
  if (!parsed) {
    fail(name, "must be a number from 0 to 1000000 with at most three decimals, not " + describe(*value), "float_type");
  }
  return parsed ? *parsed : fallback;
}

std::vector<std::string> ObjectReader::texts(std::string_view name, std::size_t most) {
  std::vector<std::string> all;
  const Json* const value = find(name);
  if (value == nullptr) return all;
  if (!value->is_array()) fail(name, "must be an array of text, not " + describe(*value), "list_type");
  if (!value->is_array()) return all;
  if (value->size() > most) {
    fail(name, "must have at most " + std::to_string(most) + " items, not " + std::to_string(value->size()),
         "too_long");
    return all;
  }
  for (const auto& item : value->get_ref<const Json::array_t&>()) {
    all.push_back(read_text(item, errors_, path_to(name) + all.size()));
  }
  return all;
}

void ObjectReader::refuse_others() {
  if (!object_.is_object()) return;
  for (const auto& [name, value] : object_.get_ref<const Json::object_t&>()) {
    if (!known_.contains(name)) fail(name, "is not a field that is known here", "extra_forbidden");
  }
}

}  // namespace hakuriver::wire
