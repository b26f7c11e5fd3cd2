// Attempts, events and orders as columns: the parts of the node protocol's messages that come by the thousand.
#pragma once

#include <string>
#include <vector>

#include "hakuriver/messages.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::wire {

// Each appends or reads one object.
void append_attempts(std::string& out, const std::vector<KeptAttempt>& attempts);
void append_events(std::string& out, const std::vector<NodeEvent>& events);
void append_orders(std::string& out, const std::vector<Order>& orders);

void read_attempts(Scanner& in, std::vector<KeptAttempt>& attempts, std::size_t most);
void read_events(Scanner& in, std::vector<NodeEvent>& events, std::size_t most);
void read_orders(Scanner& in, std::vector<Order>& orders, std::size_t most);

}  // namespace hakuriver::wire
