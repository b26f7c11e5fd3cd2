// What is said to a container engine and what it says: https://docs.docker.com/engine/api/v1.41/. Everything that is
// read may be garbage; the result is then an error of code parse.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "container/engine.hpp"

namespace hakuriver::container {

inline constexpr std::string_view kOldestVersion = "1.41";

// The version to speak, of what GET /version answered: 1.41, or the oldest that the engine still takes. Errc::limit
// where the engine's newest is older than 1.41.
Result<std::string> negotiate_version(std::string_view answer);

std::string encode_create(const Container& container, const Argv& command, const std::vector<std::string>& environment);
std::string encode_exec(const Argv& command);

Result<Image> decode_image(std::string_view answer);
// The answer to an inspection, or only its member State, which has no owner.
Result<ContainerState> decode_container(std::string_view answer);
Result<ContainerState> decode_state(std::string_view answer);
Result<std::string> decode_exec_id(std::string_view answer);
// Whether the command still runs.
Result<bool> decode_exec_running(std::string_view answer);
// The references of all images in a list of them.
Result<std::vector<std::string>> decode_references(std::string_view answer);
// The references of the one image in the manifest.json of a tar of images. Errc::parse where there are more images, and
// for members that are none of such a manifest's: an engine may read one that is spelt otherwise as one of them.
Result<std::vector<std::string>> decode_tar_manifest(std::string_view text);
// The same of index.json, which newer tars have besides, and newer engines read instead. Its descriptor is of
// https://github.com/opencontainers/image-spec; at most one reference.
Result<std::vector<std::string>> decode_tar_index(std::string_view text);
// What an engine says while it loads or pulls: a JSON object a line, of which the longest are not looked at.
class Progress {
 public:
  void take(std::string_view bytes);
  // The first failure; empty: there is none yet.
  const std::string& error() const noexcept { return error_; }
  const std::vector<std::string>& loaded() const noexcept { return loaded_; }  // references, at most 1000

 private:
  void take_line();

  std::string line_;
  std::string error_;
  std::vector<std::string> loaded_;
};

// What "Loaded image: REFERENCE" says, also in the middle of other words; empty: nothing.
std::string loaded_image(std::string_view line);
// The code of a failure to pull, by the registry's words: not_found or denied, else what it is otherwise.
Errc code_of_pull(std::string_view message, Errc otherwise);
// Whether an engine's own words are of something that its node lacks, such as space.
bool tells_of_lack(std::string_view message);
// Whether a registry wants to know who asks, or gives that one nothing, by its words or the engine's.
bool wants_login(std::string_view message);

// The member "message" of an error, in one line of at most 500 bytes; the text itself where there is none.
std::string decode_error(std::string_view answer);

}  // namespace hakuriver::container
