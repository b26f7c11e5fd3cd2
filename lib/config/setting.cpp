#include "config/setting.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>

#include "hakuriver/duration.hpp"
#include "hakuriver/resources.hpp"
#include "hakuriver/target.hpp"

namespace hakuriver::config {
namespace {

constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxItems = 1000;

// What the key takes, for people.
std::string expected(const Key& key) {
  switch (key.kind) {
    case Kind::text:
      return "a text";
    case Kind::ip_address:
      return "an IP address such as 127.0.0.1, 0.0.0.0 or ::";
    case Kind::host:
      return "a host name or an IP address, without scheme and port";
    case Kind::url:
      return "a URL such as http://node1:8000";
    case Kind::node_name:
      return "a node name, 1 to 63 of letters, digits, '.', '_' and '-'";
    case Kind::path:
      return "a path";
    case Kind::program:
      return "a path or a program's name";
    case Kind::choice: {
      std::string all(key.choices);
      for (auto at = all.find(' '); at != std::string::npos; at = all.find(' ', at + 2)) all.replace(at, 1, ", ");
      return "one of " + all;
    }
    case Kind::yes_no:
      return "true or false";
    case Kind::whole:
      return "a whole number from " + std::to_string(key.least) + " to " + std::to_string(key.most);
    case Kind::duration: {
      Config config;
      const bool can_be_off = std::holds_alternative<std::optional<std::chrono::milliseconds>*>(key.slot(config));
      return "a time from " + to_duration_text(std::chrono::milliseconds{key.least}) + " to " +
             to_duration_text(std::chrono::milliseconds{key.most}) + (can_be_off ? ", or off" : "");
    }
    case Kind::cores:
      return "a number of cores such as 4 or 0.5, above 0";
    case Kind::memory:
      return "a size such as 8G or 8GB, above 0";
    case Kind::list:
      return "a list of texts";
  }
  return "";
}

std::string number_text(double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number);
  return {text, end.ptr};
}

std::string shown(const Given& given) {
  struct Shower {
    std::string operator()(const Other& other) const { return std::string(other.name); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const { return number_text(value); }
    std::string operator()(const std::string& value) const { return quote(value); }
    std::string operator()(const std::vector<std::string>&) const { return "a list"; }
  };
  return std::visit(Shower{}, given);
}

bool is_plain_text(std::string_view text) {
  return text.size() <= kMaxText && std::none_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7f;
         });
}

bool is_ip_address(const std::string& text) {
  in6_addr address{};
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 || ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

// RFC 1123 names, with the underscore that many networks use all the same.
bool is_host_name(std::string_view text) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !text.empty() && text.size() <= 253 && text.front() != '-' && text.front() != '.' &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

bool is_host(const std::string& text) { return is_host_name(text) || is_ip_address(text); }

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

bool is_url(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos || (text.substr(0, scheme) != "http" && text.substr(0, scheme) != "https")) {
    return false;
  }
  std::string_view rest = text.substr(scheme + 3);
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  std::string_view host = rest.substr(0, rest.find(':'));
  std::string_view port = rest.substr(host.size());
  if (!rest.empty() && rest.front() == '[') {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return false;
    host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  }
  return is_host(std::string(host)) && (port.empty() || (port[0] == ':' && is_port(port.substr(1))));
}

bool is_choice(std::string_view choices, std::string_view text) {
  const std::string all = " " + std::string(choices) + " ";
  return !text.empty() && text.find(' ') == std::string_view::npos &&
         all.find(" " + std::string(text) + " ") != std::string::npos;
}

// A whole number may also be written as a float, such as 5.0.
std::optional<std::int64_t> whole_of(const Given& given) {
  if (const auto* whole = std::get_if<std::int64_t>(&given)) return *whole;
  const auto* real = std::get_if<double>(&given);
  if (real == nullptr || !std::isfinite(*real) || std::abs(*real) > 1e15 || *real != std::floor(*real))
    return std::nullopt;
  return static_cast<std::int64_t>(*real);
}

// A number or a text, as the readers of cores, sizes and durations take it.
std::optional<std::string> number_or_text(const Given& given) {
  if (const auto* text = std::get_if<std::string>(&given)) return *text;
  if (const auto* whole = std::get_if<std::int64_t>(&given)) return std::to_string(*whole);
  const auto* real = std::get_if<double>(&given);
  if (real == nullptr || !std::isfinite(*real)) return std::nullopt;
  return number_text(*real);
}

template <class Value>
void store(const Slot& slot, Value value) {
  std::visit(
      [&](auto* place) {
        if constexpr (std::is_same_v<Value, std::int64_t>) {
          using Place = std::remove_reference_t<decltype(*place)>;
          if constexpr (std::is_same_v<Place, std::uint16_t> || std::is_same_v<Place, std::optional<std::uint16_t>>) {
            *place = static_cast<std::uint16_t>(value);
          } else if constexpr (std::is_same_v<Place, std::uint32_t> ||
                               std::is_same_v<Place, std::optional<std::uint32_t>>) {
            *place = static_cast<std::uint32_t>(value);
          }
        } else if constexpr (std::is_same_v<decltype(place), Value*> ||
                             std::is_same_v<decltype(place), std::optional<Value>*>) {
          *place = std::move(value);
        }
      },
      slot);
}

// The kinds whose value is a text in the end.
Result<std::string> checked_text(const Key& key, const Given& given, const PathBase& base) {
  const Error bad{Errc::parse, shown(given) + " is not right: expected " + expected(key)};
  const auto* text = std::get_if<std::string>(&given);
  if (text == nullptr || !is_plain_text(*text)) return bad;
  if (text->empty())
    return key.kind == Kind::ip_address || key.kind == Kind::choice || key.least > 0 ? Result<std::string>(bad) : *text;
  const bool good = (key.kind == Kind::text) || (key.kind == Kind::ip_address && is_ip_address(*text)) ||
                    (key.kind == Kind::host && is_host(*text)) || (key.kind == Kind::url && is_url(*text)) ||
                    (key.kind == Kind::node_name && is_node_name(*text)) ||
                    (key.kind == Kind::choice && is_choice(key.choices, *text));
  if (good) return *text;
  const bool looked_up = key.kind == Kind::program && text->find('/') == std::string::npos;
  if (looked_up) return *text;
  return key.kind == Kind::path || key.kind == Kind::program ? resolve_path(*text, base) : bad;
}

Status apply_number(const Key& key, const Given& given, const Slot& slot) {
  const Error bad{Errc::parse, shown(given) + " is not right: expected " + expected(key)};
  if (key.kind == Kind::whole) {
    const auto whole = whole_of(given);
    if (!whole || *whole < key.least || *whole > key.most) return bad;
    store(slot, *whole);
    return Unit{};
  }
  const auto text = number_or_text(given);
  if (!text) return bad;
  const auto amount = key.kind == Kind::cores ? parse_cores(*text) : parse_memory(*text);
  if (!amount || *amount == 0) return bad;
  store(slot, *amount);
  return Unit{};
}

Status apply_duration(const Key& key, const Given& given, const Slot& slot) {
  const Error bad{Errc::parse, shown(given) + " is not right: expected " + expected(key)};
  const auto text = number_or_text(given);
  if (!text) return bad;
  const auto* off = std::get_if<std::optional<std::chrono::milliseconds>*>(&slot);
  if (off != nullptr && *text == "off") {
    (*off)->reset();
    return Unit{};
  }
  const auto time = parse_duration(*text);
  if (!time || time->count() < key.least || time->count() > key.most) return bad;
  store(slot, *time);
  return Unit{};
}

Status apply_list(const Key& key, const Given& given, const Slot& slot) {
  const auto* items = std::get_if<std::vector<std::string>>(&given);
  const bool good = items != nullptr && items->size() <= kMaxItems &&
                    std::all_of(items->begin(), items->end(),
                                [](const std::string& item) { return !item.empty() && is_plain_text(item); });
  if (!good) return Error{Errc::parse, shown(given) + " is not right: expected " + expected(key)};
  store(slot, *items);
  return Unit{};
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == std::string_view::npos ? std::string_view{}
                                         : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const auto comma = text.find(',');
    if (const auto item = trim(text.substr(0, comma)); !item.empty()) items.emplace_back(item);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return items;
}

}  // namespace

std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text.substr(0, 64)) quoted += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return quoted + (text.size() > 64 ? "...'" : "'");
}

Result<std::string> resolve_path(const std::string& path, const PathBase& base) {
  std::filesystem::path whole = path;
  if (path[0] == '~') {
    const bool own = path.size() == 1 || path[1] == '/';
    if (!own)
      return Error{Errc::parse,
                   quote(path) + " is not right: expected a path, where only ~/ stands for a home directory"};
    if (base.home_directory.empty())
      return Error{Errc::parse, quote(path) + ": the home directory is not known (HOME is not set)"};
    whole = base.home_directory + path.substr(1);
  }
  std::string resolved = (std::filesystem::path(base.directory) / whole).lexically_normal().string();
  while (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  return resolved;
}

Status apply_setting(const Key& key, const Given& given, const PathBase& base, Config& config) {
  const Slot slot = key.slot(config);
  switch (key.kind) {
    case Kind::whole:
    case Kind::cores:
    case Kind::memory:
      return apply_number(key, given, slot);
    case Kind::duration:
      return apply_duration(key, given, slot);
    case Kind::list:
      return apply_list(key, given, slot);
    case Kind::yes_no:
      if (!std::holds_alternative<bool>(given)) {
        return Error{Errc::parse, shown(given) + " is not right: expected " + expected(key)};
      }
      store(slot, std::get<bool>(given));
      return Unit{};
    default:
      break;
  }
  auto text = checked_text(key, given, base);
  if (!text) return text.error();
  store(slot, std::move(*text));
  return Unit{};
}

Result<Given> read_setting(const Key& key, const std::string& text) {
  if (key.kind == Kind::list) return Given(split_list(text));
  if (key.kind == Kind::yes_no && (text == "true" || text == "1")) return Given(true);
  if (key.kind == Kind::yes_no && (text == "false" || text == "0")) return Given(false);
  std::int64_t whole = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), whole);
  const bool is_whole = error == std::errc{} && end == text.data() + text.size();
  if (key.kind == Kind::whole && is_whole) return Given(whole);
  return Given(text);
}

bool is_without_effect(const Key& key, Config& config) {
  Config defaults;
  const Slot slot = key.slot(config);
  const Slot default_slot = key.slot(defaults);
  const bool changed = std::visit(
      [&](const auto* value) {
        using Place = std::remove_const_t<std::remove_pointer_t<decltype(value)>>;
        return *value != **std::get_if<Place*>(&default_slot);
      },
      slot);
  return changed && !key.has_effect;
}

}  // namespace hakuriver::config
