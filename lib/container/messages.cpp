#include "container/messages.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "wire/json_text.hpp"
#include "wire/members.hpp"
#include "wire/scanner.hpp"

namespace hakuriver::container {
namespace {

using wire::Member;
using wire::ObjectWriter;
using wire::Scanner;

constexpr std::size_t kMaxErrorBytes = 500;
constexpr std::size_t kMaxLine = std::size_t{64} << 10;
constexpr std::size_t kMaxLoaded = 1000;
constexpr std::uint64_t kNanosecondsPerMillicore = 1'000'000;

struct VersionAnswer {
  std::string newest;
  std::string oldest;
};

struct ProgressLine {
  std::string stream;
  std::string error;
};

struct InspectAnswer {
  ContainerState state;
  std::string owner;
};

// Absent lists are null to Go.
bool skip_null(Scanner& in, std::string_view& raw) {
  raw = in.raw();
  return raw == "null" || raw.empty();
}

std::vector<std::string> texts(Scanner& in) {
  std::vector<std::string> found;
  std::string_view raw;
  if (skip_null(in, raw)) return found;
  Scanner list(raw, "list");
  for (list.enter_array(); list.next_item();) found.push_back(list.text());
  if (!list.status()) in.fail("a list of texts");
  return found;
}

// Some engines write a single word where others write a list.
Argv words(Scanner& in) {
  std::string_view raw;
  if (skip_null(in, raw)) return {};
  Scanner value(raw, "words");
  if (raw.starts_with('"')) {
    Argv argv{value.text()};
    if (argv.front().empty()) argv.clear();
    return argv;
  }
  return texts(value);
}

std::string owner_of(Scanner& in) {
  std::string owner;
  std::string_view raw;
  if (skip_null(in, raw)) return owner;
  Scanner labels(raw, "labels");
  std::string_view name;
  for (labels.enter_object(); labels.next_name(name);) {
    if (name == kOwnerLabel) {
      owner = labels.text();
    } else {
      labels.skip();
    }
  }
  return owner;
}

template <class Object>
void read_nullable(Scanner& in, Object& object, std::span<const Member<Object>> members) {
  std::string_view raw;
  if (skip_null(in, raw)) return;
  Scanner inner(raw, "object");
  wire::read_members<Object>(inner, object, members);
  if (!inner.status()) in.fail("an object as the engine's documentation has it");
}

const Member<VersionAnswer> kVersion[] = {
    {"ApiVersion", [](Scanner& in, VersionAnswer& it) { it.newest = in.text(); }},
    {"MinAPIVersion", [](Scanner& in, VersionAnswer& it) { it.oldest = in.text(); }, false},
};

const Member<Image> kImageConfig[] = {
    {"Entrypoint", [](Scanner& in, Image& it) { it.entrypoint = words(in); }, false},
    {"Env", [](Scanner& in, Image& it) { it.environment = texts(in); }, false},
};

const Member<Image> kImage[] = {
    {"Id", [](Scanner& in, Image& it) { it.id = in.text(); }},
    {"Config", [](Scanner& in, Image& it) { read_nullable<Image>(in, it, kImageConfig); }, false},
};

const Member<ContainerState> kState[] = {
    {"Status", [](Scanner& in, ContainerState& it) { it.status = in.text(); }},
    {"OOMKilled", [](Scanner& in, ContainerState& it) { it.is_oom_killed = in.flag(); }, false},
    {"ExitCode", [](Scanner& in, ContainerState& it) { it.exit_code = in.i64(); }},
    {"Error", [](Scanner& in, ContainerState& it) { it.error = in.text(); }, false},
};

const Member<InspectAnswer> kInspectConfig[] = {
    {"Labels", [](Scanner& in, InspectAnswer& it) { it.owner = owner_of(in); }, false},
};

const Member<InspectAnswer> kInspect[] = {
    {"State", [](Scanner& in, InspectAnswer& it) { wire::read_members<ContainerState>(in, it.state, kState); }},
    {"Config", [](Scanner& in, InspectAnswer& it) { read_nullable<InspectAnswer>(in, it, kInspectConfig); }},
};

const Member<std::string> kExecId[] = {
    {"Id", [](Scanner& in, std::string& it) { it = in.text(); }},
};

const Member<bool> kExecState[] = {
    {"Running", [](Scanner& in, bool& it) { it = in.flag(); }},
};

const Member<ProgressLine> kProgress[] = {
    {"stream", [](Scanner& in, ProgressLine& it) { it.stream = in.text(); }, false},
    {"error", [](Scanner& in, ProgressLine& it) { it.error = in.text(); }, false},
};

const Member<std::string> kError[] = {
    {"message", [](Scanner& in, std::string& it) { it = in.text(); }},
};

using References = std::vector<std::string>;
constexpr auto kSkip = [](Scanner& in, References&) { in.skip(); };

const Member<References> kTarImage[] = {
    {"Config", kSkip},
    {"RepoTags", [](Scanner& in, References& it) { it = texts(in); }},
    {"Layers", kSkip},
    {"Parent", kSkip, false},
    {"LayerSources", kSkip, false},
};

// The name that engines prefer, and the other one, which may be no more than the tag.
struct IndexNames {
  std::string full;
  std::string reference;
};

const Member<IndexNames> kIndexNames[] = {
    {"io.containerd.image.name", [](Scanner& in, IndexNames& it) { it.full = in.text(); }, false},
    {"org.opencontainers.image.ref.name", [](Scanner& in, IndexNames& it) { it.reference = in.text(); }, false},
};

const Member<References> kIndexImage[] = {
    {"digest", kSkip},
    {"mediaType", kSkip},
    {"size", kSkip},
    {"platform", kSkip, false},
    {"annotations",
     [](Scanner& in, References& it) {
       IndexNames names;
       read_nullable<IndexNames>(in, names, kIndexNames);
       if (!names.full.empty() || !names.reference.empty()) {
         it.push_back(names.full.empty() ? names.reference : names.full);
       }
     },
     false},
};

const Member<std::string_view> kIndex[] = {
    {"manifests", [](Scanner& in, std::string_view& it) { it = in.raw(); }},
    {"schemaVersion", [](Scanner& in, std::string_view&) { in.skip(); }},
    {"mediaType", [](Scanner& in, std::string_view&) { in.skip(); }, false},
};

// One object with these members and no others.
template <class Object>
Result<Object> decode_exactly(std::string_view text, std::string_view what, std::span<const Member<Object>> members) {
  Scanner in(text, what);
  std::string_view name;
  for (in.enter_object(); in.next_name(name); in.skip()) {
    const auto is_named = [name](const Member<Object>& member) { return member.name == name; };
    if (std::none_of(members.begin(), members.end(), is_named)) {
      in.fail("no member '" + wire::to_utf8(name.substr(0, 64)) + "'");
    }
  }
  if (const auto status = in.status(); !status) return status.error();
  return wire::decode<Object>(text, what, members);
}

// The text of the only item of a list.
Result<std::string_view> only_image(std::string_view text, std::string_view what) {
  Scanner in(text, what);
  std::string_view image;
  std::size_t count = 0;
  for (in.enter_array(); in.next_item(); ++count) image = in.raw();
  if (const auto status = in.status(); !status) return status.error();
  if (count == 1) return image;
  return Error{Errc::parse, "expected one image in '" + std::string(what) + "', not " + std::to_string(count)};
}

// "1.41" -> {1, 41}; what is no version is the lowest.
std::pair<unsigned, unsigned> parse_version(std::string_view text) {
  std::pair<unsigned, unsigned> version{0, 0};
  const char* const end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return {0, 0};
  const auto minor = std::from_chars(major.ptr + 1, end, version.second);
  return minor.ec == std::errc() && minor.ptr == end ? version : std::pair{0U, 0U};
}

void write_word(std::string& out, const std::string& word) { wire::append_text(out, word, wire::NotUtf8::replace); }

void write_mount(std::string& out, const Mount& mount) {
  ObjectWriter object(out, wire::NotUtf8::replace);
  object.text("Type", "bind");
  object.text("Source", mount.source);
  object.text("Target", mount.target);
  object.flag("ReadOnly", mount.read_only);
  object.close();
}

void write_limits(ObjectWriter& host, const Container& container) {
  if (container.millicores != 0) host.number("NanoCpus", container.millicores * kNanosecondsPerMillicore);
  if (container.memory_bytes != 0) {
    host.number("Memory", container.memory_bytes);
    host.number("MemorySwap", container.memory_bytes);
  }
  if (!container.cpus.empty()) host.text("CpusetCpus", cpuset_list(container.cpus));
  if (container.memory_node) host.text("CpusetMems", std::to_string(*container.memory_node));
  host.member("Ulimits") += R"([{"Name":"core","Soft":0,"Hard":0}])";
}

void write_host_config(std::string& out, const Container& container) {
  ObjectWriter host(out, wire::NotUtf8::replace);
  host.text("NetworkMode", container.network);
  host.flag("Init", true);
  host.flag("Privileged", container.privileged);
  if (!container.privileged) host.member("CapAdd") += R"(["SYS_NICE"])";
  if (container.no_new_privileges) host.member("SecurityOpt") += R"(["no-new-privileges"])";
  wire::append_array(host.member("GroupAdd"), container.groups,
                     [](std::string& to, std::uint32_t group) { wire::append_text(to, std::to_string(group)); });
  write_limits(host, container);
  wire::append_array(host.member("Mounts"), container.mounts, write_mount);
  host.member("LogConfig") += R"({"Type":"none"})";
  host.close();
}

void write_labels(std::string& out, const Container& container) {
  ObjectWriter labels(out, wire::NotUtf8::replace);
  for (const auto& [name, value] : container.labels) labels.text(name, value);
  labels.close();
}

}  // namespace

Result<std::string> negotiate_version(std::string_view answer) {
  const auto versions = wire::decode<VersionAnswer>(answer, "version", kVersion);
  if (!versions) return versions.error();
  if (parse_version(versions->newest) < parse_version(kOldestVersion)) {
    return Error{Errc::limit, "the container engine speaks version '" + versions->newest.substr(0, 20) +
                                  "' of its protocol: expected " + std::string(kOldestVersion) + " or later"};
  }
  const bool takes_ours = parse_version(versions->oldest) <= parse_version(kOldestVersion);
  return takes_ours ? std::string(kOldestVersion) : versions->oldest;
}

std::string encode_create(const Container& container, const Argv& command,
                          const std::vector<std::string>& environment) {
  std::string out;
  ObjectWriter object(out, wire::NotUtf8::replace);
  object.text("Image", container.image);
  wire::append_array(object.member("Cmd"), command, write_word);
  if (container.entrypoint) wire::append_array(object.member("Entrypoint"), Argv{*container.entrypoint}, write_word);
  wire::append_array(object.member("Env"), environment, write_word);
  write_labels(object.member("Labels"), container);
  if (!container.user.empty()) object.text("User", container.user);
  if (!container.working_directory.empty()) object.text("WorkingDir", container.working_directory);
  write_host_config(object.member("HostConfig"), container);
  object.close();
  return out;
}

std::string encode_exec(const Argv& command) {
  std::string out;
  ObjectWriter object(out, wire::NotUtf8::replace);
  object.text("User", "0:0");
  wire::append_array(object.member("Cmd"), command, write_word);
  object.close();
  return out;
}

Result<Image> decode_image(std::string_view answer) { return wire::decode<Image>(answer, "image", kImage); }

Result<ContainerState> decode_container(std::string_view answer) {
  auto inspected = wire::decode<InspectAnswer>(answer, "container", kInspect);
  if (!inspected) return inspected.error();
  inspected->state.owner = std::move(inspected->owner);
  return std::move(inspected->state);
}

Result<ContainerState> decode_state(std::string_view answer) {
  return wire::decode<ContainerState>(answer, "state", kState);
}

Result<std::string> decode_exec_id(std::string_view answer) {
  auto id = wire::decode<std::string>(answer, "exec", kExecId);
  const auto is_id = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (id && (id->empty() || id->size() > 128 || !std::all_of(id->begin(), id->end(), is_id))) {
    return Error{Errc::parse, "exec: the engine's id is not made of hexadecimal digits"};
  }
  return id;
}

Result<bool> decode_exec_running(std::string_view answer) { return wire::decode<bool>(answer, "exec", kExecState); }

Result<std::vector<std::string>> decode_tar_manifest(std::string_view text) {
  const auto image = only_image(text, "manifest.json");
  if (!image) return image.error();
  return decode_exactly<References>(*image, "manifest.json", kTarImage);
}

Result<std::vector<std::string>> decode_tar_index(std::string_view text) {
  const auto images = decode_exactly<std::string_view>(text, "index.json", kIndex);
  if (!images) return images.error();
  const auto image = only_image(*images, "index.json");
  if (!image) return image.error();
  return decode_exactly<References>(*image, "index.json", kIndexImage);
}

void Progress::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = std::min(bytes.find('\n'), bytes.size());
    line_.append(bytes.substr(0, std::min(end, kMaxLine + 1 - line_.size())));
    if (end == bytes.size()) return;
    take_line();
    line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void Progress::take_line() {
  if (line_.size() > kMaxLine || line_.find_first_not_of(" \r") == std::string::npos) return;
  const auto line = wire::decode<ProgressLine>(line_, "progress", kProgress);
  if (!line) return;
  if (error_.empty()) error_ = line->error;
  auto reference = loaded_image(line->stream);
  if (!reference.empty() && loaded_.size() < kMaxLoaded) loaded_.push_back(std::move(reference));
}

std::string loaded_image(std::string_view line) {
  constexpr std::string_view kWords[] = {"Loaded image: ", "Loaded image(s): "};
  for (const auto words : kWords) {
    const auto at = line.find(words);
    if (at == std::string_view::npos) continue;
    line.remove_prefix(at + words.size());
    return std::string(line.substr(0, line.find_first_of(" \r\n")));
  }
  return {};
}

std::string decode_error(std::string_view answer) {
  const auto message = wire::decode<std::string>(answer, "error", kError);
  std::string line = message ? *message : std::string(answer.substr(0, kMaxErrorBytes));
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  if (line.size() > kMaxErrorBytes) line.resize(kMaxErrorBytes);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return wire::to_utf8(line);
}

}  // namespace hakuriver::container
