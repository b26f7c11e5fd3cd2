#include "wire/output_messages.hpp"

#include "wire/json_text.hpp"
#include "wire/members.hpp"

namespace hakuriver::wire {
namespace {

constexpr Member<OutputWant> kWant[] = {{"number", [](Scanner& in, OutputWant& m) { m.number = in.u64(); }},
                                        {"task", [](Scanner& in, OutputWant& m) { m.task.value = in.u64(); }},
                                        {"attempt", [](Scanner& in, OutputWant& m) { m.attempt.value = in.u32(); }},
                                        {"is_stderr", [](Scanner& in, OutputWant& m) { m.is_stderr = in.flag(); }},
                                        {"offset", [](Scanner& in, OutputWant& m) { m.offset = in.u64(); }},
                                        {"limit", [](Scanner& in, OutputWant& m) { m.limit = in.u64(); }},
                                        {"tail", [](Scanner& in, OutputWant& m) { m.tail = in.u64(); }}};

constexpr Member<OutputPart> kPart[] = {{"number", [](Scanner& in, OutputPart& m) { m.number = in.u64(); }},
                                        {"offset", [](Scanner& in, OutputPart& m) { m.offset = in.u64(); }},
                                        {"size", [](Scanner& in, OutputPart& m) { m.size = in.u64(); }},
                                        {"bytes",
                                         [](Scanner& in, OutputPart& m) {
                                           m.bytes = in.text();
                                           if (m.bytes.size() > kMaxOutputPart) in.fail("fewer bytes");
                                         }},
                                        {"is_absent", [](Scanner& in, OutputPart& m) { m.is_absent = in.flag(); }},
                                        {"error", [](Scanner& in, OutputPart& m) { m.error = in.text(); }}};

template <class Item>
void read_items(Scanner& in, std::vector<Item>& items, std::span<const Member<Item>> members) {
  for (in.enter_array(); in.next_item();) {
    if (items.size() == kMaxOutputParts) return in.fail("fewer items");
    read_members<Item>(in, items.emplace_back(), members);
  }
}

constexpr Member<OutputPoll> kPoll[] = {
    {"node", [](Scanner& in, OutputPoll& m) { m.node = in.text(); }},
    {"parts", [](Scanner& in, OutputPoll& m) { read_items<OutputPart>(in, m.parts, kPart); }}};

struct Wants {
  std::vector<OutputWant> wants;
};
constexpr Member<Wants> kWants[] = {
    {"wants", [](Scanner& in, Wants& m) { read_items<OutputWant>(in, m.wants, kWant); }}};

}  // namespace

std::string encode(const OutputPoll& message) {
  std::string out;
  ObjectWriter object(out);
  object.text("node", message.node);
  append_array(object.member("parts"), message.parts, [](std::string& to, const OutputPart& part) {
    ObjectWriter item(to);
    item.number("number", part.number);
    item.number("offset", part.offset);
    item.number("size", part.size);
    item.text("bytes", part.bytes);
    item.flag("is_absent", part.is_absent);
    item.text("error", part.error);
    item.close();
  });
  object.close();
  return out;
}

std::string encode(const std::vector<OutputWant>& wants) {
  std::string out;
  ObjectWriter object(out);
  append_array(object.member("wants"), wants, [](std::string& to, const OutputWant& want) {
    ObjectWriter item(to);
    item.number("number", want.number);
    item.number("task", want.task.value);
    item.number("attempt", want.attempt.value);
    item.flag("is_stderr", want.is_stderr);
    item.number("offset", want.offset);
    item.number("limit", want.limit);
    item.number("tail", want.tail);
    item.close();
  });
  object.close();
  return out;
}

Result<OutputPoll> decode_output_poll(std::string_view text) { return decode<OutputPoll>(text, "output poll", kPoll); }

Result<std::vector<OutputWant>> decode_output_wants(std::string_view text) {
  auto wants = decode<Wants>(text, "output wants", kWants);
  if (!wants) return wants.error();
  return std::move(wants->wants);
}

}  // namespace hakuriver::wire
