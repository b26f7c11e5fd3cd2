#include "wire/columns.hpp"

namespace hakuriver::wire {

bool TextColumn::take(Scanner& in, std::string_view name, std::size_t most) {
  if (name == "message_at") {
    in.integers(at_, most);
    return true;
  }
  if (name != "message") return false;
  for (in.enter_array(); in.next_item(); texts_.push_back(in.text())) {
    if (texts_.size() == most) in.fail("fewer texts");
  }
  return true;
}

bool TextColumn::fits(Scanner& in, std::size_t count) const {
  if (at_.size() != texts_.size()) in.fail("as many texts as places for them");
  for (const std::int64_t at : at_) {
    if (at < 0 || static_cast<std::uint64_t>(at) >= count) in.fail("texts for records that exist");
  }
  return !in.failed();
}

}  // namespace hakuriver::wire
