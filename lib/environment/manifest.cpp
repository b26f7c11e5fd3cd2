#include "environment/manifest.hpp"

#include "environment/sha256.hpp"
#include "wire/json_text.hpp"
#include "wire/members.hpp"

namespace hakuriver::environment {
namespace {

using wire::Scanner;

const wire::Member<Manifest> kMembers[] = {
    {"name", [](Scanner& in, Manifest& it) { it.key.name = in.text(); }},
    {"version", [](Scanner& in, Manifest& it) { it.key.version = in.u64(); }},
    {"sha256", [](Scanner& in, Manifest& it) { it.sha256 = in.text(); }},
    {"size", [](Scanner& in, Manifest& it) { it.size = in.u64(); }},
    {"image_id", [](Scanner& in, Manifest& it) { it.image_id = in.text(); }, false},
    {"base_image", [](Scanner& in, Manifest& it) { it.base_image = in.text(); }, false},
    {"created", [](Scanner& in, Manifest& it) { it.created = in.text(); }, false},
};

}  // namespace

std::string encode_manifest(const Manifest& manifest) {
  std::string out;
  wire::ObjectWriter object(out, wire::NotUtf8::replace);
  object.text("name", manifest.key.name);
  object.number("version", manifest.key.version);
  object.text("sha256", manifest.sha256);
  object.number("size", manifest.size);
  object.text("image_id", manifest.image_id);
  object.text("base_image", manifest.base_image);
  object.text("created", manifest.created);
  object.close();
  return out + "\n";
}

Result<Manifest> decode_manifest(std::string_view text) {
  auto manifest = wire::decode<Manifest>(text, "manifest", kMembers);
  if (!manifest) return manifest;
  if (!is_environment_name(manifest->key.name)) return Error{Errc::parse, "manifest: its name is no environment's"};
  if (!is_sha256(manifest->sha256)) return Error{Errc::parse, "manifest: its sha256 is not 64 hexadecimal digits"};
  return manifest;
}

}  // namespace hakuriver::environment
