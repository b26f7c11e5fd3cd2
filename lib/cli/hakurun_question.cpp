#include "cli/hakurun_question.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "platform/descriptor.hpp"

namespace hakuriver::cli {

std::optional<bool> ask_on_terminal(std::string_view question) {
  const platform::Descriptor terminal(::open("/dev/tty", O_RDWR | O_CLOEXEC));
  if (!terminal.is_open()) return std::nullopt;
  if (::write(terminal.get(), question.data(), question.size()) < 0) return std::nullopt;
  constexpr std::size_t kLongest = 80;
  std::string answer;
  while (answer.size() < kLongest) {
    char c = 0;
    const auto count = ::read(terminal.get(), &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0 || c == '\n') break;
    answer += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  answer.erase(std::remove(answer.begin(), answer.end(), ' '), answer.end());
  return answer == "y" || answer == "yes";
}

}  // namespace hakuriver::cli
