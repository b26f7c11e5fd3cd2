// Reading one object by a table of its members. Unknown members are skipped, so that a newer peer may say more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "hakuriver/result.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::wire {

template <class Object>
struct Member {
  std::string_view name;
  void (*read)(Scanner&, Object&);
  bool required = true;
};

template <class Object>
void read_members(Scanner& in, Object& object, std::span<const Member<Object>> members) {
  std::uint64_t seen = 0;
  std::string_view name;
  for (in.enter_object(); in.next_name(name);) {
    std::size_t i = 0;
    while (i < members.size() && members[i].name != name) ++i;
    if (i == members.size()) {
      in.skip();
      continue;
    }
    if ((seen >> i & 1U) != 0) in.fail("'" + std::string(name) + "' once");
    seen |= std::uint64_t{1} << i;
    members[i].read(in, object);
  }
  for (std::size_t i = 0; i < members.size() && !in.failed(); ++i) {
    if (members[i].required && (seen >> i & 1U) == 0) in.fail("'" + std::string(members[i].name) + "' before the end");
  }
}

// A text that is one such object. parse where it is not; `what` names it in the message.
template <class Message>
Result<Message> decode(std::string_view text, std::string_view what, std::span<const Member<Message>> members) {
  Scanner in(text, what);
  Message message;
  read_members<Message>(in, message, members);
  if (const auto status = in.status(); !status) return status.error();
  return message;
}

}  // namespace hakuriver::wire
