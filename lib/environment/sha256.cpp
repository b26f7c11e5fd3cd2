#include "environment/sha256.hpp"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <system_error>
#include <vector>

#include "platform/files.hpp"

namespace hakuriver::environment {
namespace {

constexpr std::size_t kBlock = std::size_t{256} << 10;

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    is_good_ = context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
  }
  void add(const void* bytes, std::size_t size) {
    is_good_ = is_good_ && EVP_DigestUpdate(context_.get(), bytes, size) == 1;
  }
  // Empty where the library failed.
  std::string text() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
    unsigned size = 0;
    if (!is_good_ || EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) != 1) return {};
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (unsigned i = 0; i < size; ++i) {
      text += kDigits[bytes[i] >> 4U];
      text += kDigits[bytes[i] & 0xFU];
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
  bool is_good_ = false;
};

}  // namespace

Result<std::string> sha256_of_file(const std::string& path) {
  const auto file = platform::open_regular_file(path);
  if (!file) return file.error();
  ::posix_fadvise(file->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  Digest digest;
  std::vector<char> block(kBlock);
  for (;;) {
    const ssize_t size = ::read(file->get(), block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return Error{Errc::io, "'" + path + "': " + std::generic_category().message(errno)};
    if (size == 0) break;
    digest.add(block.data(), static_cast<std::size_t>(size));
  }
  auto text = digest.text();
  if (text.empty()) return Error{Errc::internal, "'" + path + "': SHA-256 cannot be computed"};
  return text;
}

std::string sha256_of(std::string_view bytes) {
  Digest digest;
  digest.add(bytes.data(), bytes.size());
  return digest.text();
}

bool is_sha256(std::string_view text) noexcept {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 64 && std::all_of(text.begin(), text.end(), is_digit);
}

}  // namespace hakuriver::environment
