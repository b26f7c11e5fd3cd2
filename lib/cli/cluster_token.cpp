#include "cli/cluster_token.hpp"

#include "config/token.hpp"
#include "platform/random.hpp"

namespace hakuriver::cli {

Result<std::string> cluster_token(const Config& config, bool may_make) {
  if (config.security.auth == "none") return std::string();
  const std::string& path = config.security.token_file;
  auto token = config::read_token_file(path);
  if (token || token.error().code != Errc::not_found || !may_make) return token;
  const auto fresh = platform::random_hex(32);
  if (!fresh) return fresh.error();
  const Status made = config::create_token_file(path, *fresh);
  if (!made && made.error().code != Errc::conflict) return made.error();
  return config::read_token_file(path);
}

}  // namespace hakuriver::cli
