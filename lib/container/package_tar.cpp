#include "container/package_tar.hpp"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "container/messages.hpp"
#include "platform/files.hpp"

namespace hakuriver::container {
namespace {

// https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html, "ustar Interchange Format" and "pax Extended
// Header"; the letter L is of https://www.gnu.org/software/tar/manual/html_node/Standard.html.
constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxManifest = std::size_t{1} << 20;
constexpr std::size_t kMaxLongHeader = std::size_t{64} << 10;
constexpr std::size_t kMaxEntries = 100'000;
constexpr std::string_view kManifest = "manifest.json";
constexpr std::string_view kIndex = "index.json";

using Block = std::array<char, kBlock>;

struct Entry {
  std::string name{};
  char type = '0';
  std::uint64_t size = 0;
};

Error damaged(std::string why) { return {Errc::parse, std::move(why)}; }

std::string_view field(const Block& block, std::size_t at, std::size_t size) {
  const std::string_view text(block.data() + at, size);
  return text.substr(0, text.find('\0'));
}

// Octal digits, or where the first bit is set a number of bytes.
std::optional<std::uint64_t> read_size(const Block& block) {
  constexpr std::size_t kAt = 124;
  constexpr std::size_t kSize = 12;
  if ((static_cast<unsigned char>(block[kAt]) & 0x80U) != 0) {
    std::uint64_t size = 0;
    for (std::size_t i = 1; i < kSize; ++i) {
      if (size >> 54U != 0) return std::nullopt;
      size = size << 8U | static_cast<unsigned char>(block[kAt + i]);
    }
    return size;
  }
  std::string_view digits = field(block, kAt, kSize);
  while (!digits.empty() && digits.front() == ' ') digits.remove_prefix(1);
  while (!digits.empty() && digits.back() == ' ') digits.remove_suffix(1);
  std::uint64_t size = 0;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, size, 8);
  if (digits.empty()) return 0;
  return read.ec == std::errc() && read.ptr == end ? std::optional(size) : std::nullopt;
}

// Reads what stands at one place after the other.
class Tar {
 public:
  Tar(platform::Descriptor file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  // None at the end.
  Result<std::optional<Entry>> next();
  // What the entry that was returned last holds, of which the reader is behind the header.
  Result<std::string> contents(const Entry& entry, std::size_t most) const;

 private:
  Status read(char* to, std::size_t size, std::uint64_t at) const;
  Status skip(const Entry& entry);
  Status apply_long_header(const Entry& header, Entry& wanted, bool& has_name, bool& has_size);
  Result<std::optional<Entry>> read_header();

  platform::Descriptor file_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;    // the next header
  std::uint64_t data_ = 0;  // of the last entry
  std::size_t count_ = 0;
};

Status Tar::read(char* to, std::size_t size, std::uint64_t at) const {
  while (size != 0) {
    const ssize_t got = ::pread(file_.get(), to, size, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{Errc::io, std::generic_category().message(errno)};
    if (got == 0) return damaged("it ends in the middle");
    to += got;
    at += static_cast<std::uint64_t>(got);
    size -= static_cast<std::size_t>(got);
  }
  return Unit{};
}

Status Tar::skip(const Entry& entry) {
  constexpr std::string_view kHeaderOnly = "123456";
  const std::uint64_t size = kHeaderOnly.find(entry.type) == std::string_view::npos ? entry.size : 0;
  if (size > size_ - data_) return damaged("it ends in the middle");
  at_ = data_ + (size + kBlock - 1) / kBlock * kBlock;
  return Unit{};
}

Result<std::optional<Entry>> Tar::read_header() {
  Block block{};
  if (at_ >= size_) return std::optional<Entry>();
  if (auto done = read(block.data(), block.size(), at_); !done) return done.error();
  data_ = at_ + kBlock;
  if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) return std::optional<Entry>();
  if (++count_ > kMaxEntries) return damaged("it has more than " + std::to_string(kMaxEntries) + " entries");
  const auto size = read_size(block);
  if (std::string_view(block.data() + 257, 5) != "ustar" || !size) return damaged("it is no tar");
  Entry entry{std::string(field(block, 0, 100)), block[156], *size};
  const bool is_posix = block[262] == '\0';
  const auto prefix = is_posix ? field(block, 345, 155) : std::string_view();
  if (!prefix.empty()) entry.name = std::string(prefix) + "/" + entry.name;
  return std::optional(std::move(entry));
}

Result<std::string> Tar::contents(const Entry& entry, std::size_t most) const {
  if (entry.size > most) return damaged("a file or a header in it is too large");
  std::string text(static_cast<std::size_t>(entry.size), '\0');
  if (auto done = read(text.data(), text.size(), data_); !done) return done.error();
  return text;
}

// "LENGTH KEY=VALUE\n", again and again.
Status take_records(std::string_view text, Entry& wanted, bool& has_name, bool& has_size) {
  while (!text.empty()) {
    std::size_t length = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), length);
    const auto blank = static_cast<std::size_t>(read.ptr - text.data());
    if (read.ec != std::errc() || length > text.size() || length < blank + 2 || text[blank] != ' ') {
      return damaged("a header in it is none");
    }
    const auto record = text.substr(blank + 1, length - blank - 2);
    text.remove_prefix(length);
    const auto key = record.substr(0, record.find('='));
    const auto value = record.substr(std::min(key.size() + 1, record.size()));
    if (key.starts_with("GNU.sparse")) return damaged("a file in it has holes");
    if (key == "path" && !value.empty()) {
      wanted.name = value;
      has_name = true;
    } else if (key == "size") {
      const auto size = std::from_chars(value.data(), value.data() + value.size(), wanted.size);
      if (size.ec != std::errc() || size.ptr != value.data() + value.size()) return damaged("a size in it is none");
      has_size = true;
    }
  }
  return Unit{};
}

Status Tar::apply_long_header(const Entry& header, Entry& wanted, bool& has_name, bool& has_size) {
  const auto text = contents(header, kMaxLongHeader);
  if (!text) return text.error();
  if (header.type == 'x') return take_records(*text, wanted, has_name, has_size);
  wanted.name = text->substr(0, text->find('\0'));
  has_name = true;
  return Unit{};
}

Result<std::optional<Entry>> Tar::next() {
  Entry longer;
  bool has_name = false;
  bool has_size = false;
  for (;;) {
    auto found = read_header();
    if (!found || !*found) return found;
    Entry& entry = **found;
    if (entry.type == 'S') return damaged("a file in it has holes");
    const bool is_long = entry.type == 'x' || entry.type == 'L';
    if (is_long) {
      if (has_name && (entry.type == 'L' || longer.type == 'L')) return damaged("a file in it has two names");
      longer.type = entry.type;
      if (auto done = apply_long_header(entry, longer, has_name, has_size); !done) return done.error();
    } else if (entry.type != 'g' && entry.type != 'K') {
      if (has_name) entry.name = longer.name;
      if (has_size) entry.size = longer.size;
    }
    if (auto done = skip(entry); !done) return done.error();
    if (!is_long && entry.type != 'g' && entry.type != 'K') return found;
  }
}

// The name as an engine sees it that unpacks the tar somewhere.
std::filesystem::path place_of(const std::string& name) {
  const auto path = std::filesystem::path("/" + name).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

// What says which images are in the tar.
struct Lists {
  std::optional<std::string> manifest{};
  std::optional<std::string> index{};
};

Status take_list(const Tar& tar, const Entry& entry, std::optional<std::string>& list,
                 const std::filesystem::path& place) {
  const bool is_file = entry.type == '0' || entry.type == '\0';
  if (list || !is_file || place.parent_path() != "/") return damaged("it has another " + place.filename().string());
  auto text = tar.contents(entry, kMaxManifest);
  if (!text) return text.error();
  list = std::move(*text);
  return Unit{};
}

// All of the tar is looked at: where a file is there twice the later one counts.
Result<Lists> read_lists(Tar& tar) {
  Lists lists;
  for (;;) {
    const auto entry = tar.next();
    if (!entry) return entry.error();
    if (!*entry) break;
    const auto place = place_of((*entry)->name);
    const bool is_manifest = place.filename() == kManifest;
    if (!is_manifest && place.filename() != kIndex) continue;
    if (auto taken = take_list(tar, **entry, is_manifest ? lists.manifest : lists.index, place); !taken) {
      return taken.error();
    }
  }
  if (!lists.manifest) return damaged("it has no 'manifest.json', as `docker save` writes it");
  return lists;
}

using References = std::vector<std::string>;

std::string joined(const References& references) {
  if (references.empty()) return "one without a name";
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(references.size(), kMost); ++i) {
    text += (i == 0 ? "'" : ", '") + references[i].substr(0, 256) + "'";
  }
  return text + (references.size() > kMost ? ", ..." : "");
}

}  // namespace

Result<std::string> reference_in(const std::string& path, const PackageKey& key, bool is_old) {
  auto file = platform::open_regular_file(path);
  struct stat facts {};
  if (!file || ::fstat(file->get(), &facts) != 0) return Error{Errc::io, file ? "fstat" : file.error().message};
  Tar tar(std::move(*file), static_cast<std::uint64_t>(facts.st_size));
  const auto say = [&path](const Error& error) { return Error{error.code, "'" + path + "': " + error.message}; };
  const auto lists = read_lists(tar);
  if (!lists) return say(lists.error());
  const auto named = decode_tar_manifest(*lists->manifest);
  const auto indexed = lists->index ? decode_tar_index(*lists->index) : Result<References>(References());
  if (!named || !indexed) return say(named ? indexed.error() : named.error());
  const std::string wanted = image_of(key);
  const auto is_known = [&](const std::string& one) {
    const auto is = [&one](const std::string& name) { return one == name || one.ends_with("/" + name); };
    return is(wanted) || (is_old && is(image_of(key.name)));
  };
  const auto is_tag = [&named](const std::string& one) { return named->front().ends_with(":" + one); };
  const bool is_named = named->size() == 1 && is_known(named->front());
  if (is_named && (indexed->empty() || is_known(indexed->front()) || is_tag(indexed->front()))) return named->front();
  return say(damaged("expected image '" + wanted + "' alone in it, not " + joined(is_named ? *indexed : *named)));
}

}  // namespace hakuriver::container
