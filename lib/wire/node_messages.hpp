// The node protocol's messages as text. Every message is one JSON object; orders and events are columns (see
// columns.hpp). Bodies are at most 64 MiB. Unknown members are skipped; decoding fails with Errc::parse and one line.
#pragma once

#include <string>
#include <string_view>

#include "hakuriver/messages.hpp"
#include "hakuriver/node.hpp"
#include "hakuriver/result.hpp"

namespace hakuriver::wire {

// The most that one message may hold; whoever makes messages cuts them before.
inline constexpr std::size_t kMaxReportEvents = 65'536;
inline constexpr std::size_t kMaxBundleOrders = 65'536;
inline constexpr std::size_t kMaxRegisteredAttempts = 262'144;
inline constexpr std::size_t kMaxNumaNodes = 1'024;
inline constexpr std::size_t kMaxCpusPerNumaNode = 65'536;

std::string encode(const Hello& message);
std::string encode(const Introduction& message);
std::string encode(const Registration& message);
std::string encode(const RegistrationAnswer& message);
std::string encode(const Poll& message);
// Every spec that `specs` holds must be there (no null pointers).
std::string encode(const OrderBundle& message);
std::string encode(const Report& message);
std::string encode(const Receipt& message);
std::string encode(const Goodbye& message);
std::string encode(const NodeRefusal& message);
std::string encode(const NodeFacts& facts);

Result<Hello> decode_hello(std::string_view text);
Result<Introduction> decode_introduction(std::string_view text);
Result<Registration> decode_registration(std::string_view text);
Result<RegistrationAnswer> decode_registration_answer(std::string_view text);
Result<Poll> decode_poll(std::string_view text);
Result<OrderBundle> decode_order_bundle(std::string_view text);
Result<Report> decode_report(std::string_view text);
Result<Receipt> decode_receipt(std::string_view text);
Result<Goodbye> decode_goodbye(std::string_view text);
Result<NodeRefusal> decode_node_refusal(std::string_view text);
Result<NodeFacts> decode_node_facts(std::string_view text);

}  // namespace hakuriver::wire
