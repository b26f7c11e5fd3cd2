#include "platform/identity.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::platform {
namespace {

Result<std::string> read_id(const std::string& path) {
  const auto text = read_file(path, 256);
  if (!text) return text.error();
  std::string digits(trim(*text));
  digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
  if (digits.size() != 32 || digits.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Error{Errc::parse, "'" + path + "' does not hold 32 hex digits"};
  }
  return digits;
}

// An address in IPv6 form, IPv4 ones mapped (RFC 4291, 2.5.5.2), so that spellings can be compared.
std::optional<in6_addr> parse_address(std::string_view given) {
  const std::string text(given.substr(0, given.find('%')));
  in6_addr address{};
  if (::inet_pton(AF_INET6, text.c_str(), &address) == 1) return address;
  if (::inet_pton(AF_INET6, ("::ffff:" + text).c_str(), &address) == 1 && text.find(':') == std::string::npos) {
    return address;
  }
  return std::nullopt;
}

std::string address_text(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &address, sizeof four);
    ::inet_ntop(AF_INET, &four.sin_addr, text, sizeof text);
  } else if (address.sa_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    ::inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text);
  }
  return text;
}

}  // namespace

Result<std::string> host_name() {
  char name[HOST_NAME_MAX + 1] = "";
  if (::gethostname(name, sizeof name - 1) != 0) return system_error("gethostname", errno);
  const std::string whole(name);
  return whole.substr(0, whole.find('.'));
}

Result<std::string> boot_id() { return read_id("/proc/sys/kernel/random/boot_id"); }

Result<std::string> machine_id() { return read_id("/etc/machine-id"); }

std::vector<std::uint32_t> own_groups() {
  const int count = ::getgroups(0, nullptr);
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(count, 0)));
  const int read = groups.empty() ? 0 : ::getgroups(count, groups.data());
  return {groups.begin(), groups.begin() + std::max(read, 0)};
}

Result<std::string> executable_directory() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) return system_error("cannot read '/proc/self/exe'", errno);
  const std::string_view whole(path, static_cast<std::size_t>(size));
  const auto slash = whole.find_last_of('/');
  return std::string(slash == 0 ? "/" : whole.substr(0, slash));
}

Result<std::vector<std::string>> own_addresses() {
  ifaddrs* raw = nullptr;
  if (::getifaddrs(&raw) != 0) return system_error("getifaddrs", errno);
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> interfaces(raw, [](ifaddrs* list) { ::freeifaddrs(list); });
  std::vector<std::string> addresses;
  for (const ifaddrs* one = interfaces.get(); one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr) continue;
    if (auto text = address_text(*one->ifa_addr); !text.empty()) addresses.push_back(std::move(text));
  }
  return addresses;
}

bool is_loopback_address(std::string_view text) {
  const auto address = parse_address(text);
  if (!address) return false;
  if (IN6_IS_ADDR_V4MAPPED(&*address)) return address->s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&*address);
}

bool is_own_address(std::string_view text) {
  const auto wanted = parse_address(text);
  if (!wanted) return false;
  if (is_loopback_address(text)) return true;
  const auto addresses = own_addresses();
  if (!addresses) return false;
  return std::any_of(addresses->begin(), addresses->end(), [&](const std::string& own) {
    const auto address = parse_address(own);
    return address && IN6_ARE_ADDR_EQUAL(&*address, &*wanted);
  });
}

}  // namespace hakuriver::platform
