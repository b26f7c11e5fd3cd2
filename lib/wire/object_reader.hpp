// Checked access to the members of one JSON object. Every getter gives a value in every case; what is wrong is
// added to the errors, each with the path of the field, so that one reply can tell all.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/invalid_input.hpp"
#include "wire/json.hpp"

namespace hakuriver::wire {

class ObjectReader {
 public:
  // All three outlive the reader. A value that is no object is an error, and reads as an empty one.
  ObjectReader(const Json& value, InvalidInput& errors, Path path = {});

  // The member; none where it is absent or null. Reading a member makes it known to refuse_others().
  const Json* find(std::string_view name);
  // As find, but that it is missing is an error.
  const Json* require(std::string_view name);

  // Each has the fallback where the member is absent, null or wrong.
  std::string text(std::string_view name, std::string fallback = {});
  bool flag(std::string_view name, bool fallback = false);
  std::uint64_t whole(std::string_view name, std::uint64_t fallback, std::uint64_t least, std::uint64_t most);
  std::int64_t integer(std::string_view name, std::int64_t fallback = 0);
  double decimal(std::string_view name, double fallback = 0);
  // A whole number or its digits as text, from 1 to 2^63 - 1.
  std::uint64_t id(std::string_view name);
  // Thousandths: a whole number or a decimal with at most three decimals, as number or text, up to kMaxCores.
  std::uint64_t millicores(std::string_view name, std::uint64_t fallback);
  std::vector<std::string> texts(std::string_view name, std::size_t most);

  // Every member that was never asked for is an error.
  void refuse_others();

  void fail(std::string_view name, std::string message, std::string type = "value_error");
  Path path_to(std::string_view name) const;

 private:
  const Json& object_;
  InvalidInput& errors_;
  Path path_;
  std::set<std::string, std::less<>> known_;
};

// A string, or {"base64": "..."}; whatever is wrong is added under `path`.
std::string read_text(const Json& value, InvalidInput& errors, const Path& path);
Path operator+(Path path, PathStep step);

}  // namespace hakuriver::wire
