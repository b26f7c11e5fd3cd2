#include "platform/mounts.hpp"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "platform/files.hpp"
#include "platform/system_error.hpp"
#include "platform/text_lines.hpp"

namespace hakuriver::platform {
namespace {

// Blanks, line ends and backslashes stand as \ooo there.
std::string unescape(std::string_view text) {
  const auto octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && octal(text[i + 1]) && octal(text[i + 2]) && octal(text[i + 3])) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// File systems over the network by their statfs number: linux/magic.h, and the sources of those outside the kernel.
constexpr std::array<std::uint32_t, 19> kNetworkMagic = {
    0x6969,      // NFS
    0x517b,      // SMB
    0xff534d42,  // CIFS
    0xfe534d42,  // SMB 2 and 3
    0x01021997,  // 9p
    0x0bd00bd0,  // Lustre
    0x00c36400,  // Ceph
    0x01161970,  // GFS2
    0x5346414f,  // AFS (OpenAFS)
    0x6b414653,  // AFS (kernel)
    0x73757245,  // Coda
    0x564c,      // NCP
    0x7461636f,  // OCFS2
    0x47504653,  // GPFS
    0x19830326,  // BeeGFS
    0x20030528,  // OrangeFS
    0xaad7aaea,  // PanFS
    0x786f4256,  // VirtualBox shared folders
    0xbacbacbc,  // VMware shared folders
};
constexpr std::uint32_t kFuseMagic = 0x65735546;

std::string device_text(dev_t device) { return std::to_string(major(device)) + ":" + std::to_string(minor(device)); }

// FUSE has one number for all that it carries; only the mount tells which it is.
Result<bool> is_network_fuse(const std::string& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return system_error("cannot ask about '" + path + "'", errno);
  const auto text = read_file("/proc/self/mountinfo", std::size_t{16} << 20);
  if (!text) return text.error();
  const std::string device = device_text(facts.st_dev);
  const auto mounts = parse_mountinfo(*text);
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const Mount& mount) { return mount.device == device && is_network_type(mount.type); });
}

}  // namespace

std::vector<Mount> parse_mountinfo(std::string_view text) {
  std::vector<Mount> mounts;
  for (const std::string_view line : split(text, '\n')) {
    const auto fields = words(line);
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (dash - fields.begin() < 6 || fields.end() - dash < 3) continue;
    const std::string_view options = fields.end() - dash > 3 ? dash[3] : std::string_view{};
    mounts.push_back(
        {std::string(fields[2]), unescape(fields[3]), unescape(fields[4]), std::string(dash[1]), std::string(options)});
  }
  return mounts;
}

bool is_network_type(std::string_view type) noexcept {
  constexpr std::array<std::string_view, 37> kTypes = {
      "nfs",          "nfs4",           "cifs",          "smb3",         "smbfs",          "9p",
      "lustre",       "ceph",           "gfs2",          "afs",          "openafs",        "coda",
      "ncpfs",        "ocfs2",          "gpfs",          "beegfs",       "pvfs2",          "orangefs",
      "panfs",        "vboxsf",         "vmhgfs",        "fuse.sshfs",   "fuse.glusterfs", "fuse.ceph-fuse",
      "fuse.ceph",    "fuse.curlftpfs", "fuse.davfs",    "fuse.gcsfuse", "fuse.juicefs",   "fuse.mfs",
      "fuse.rclone",  "fuse.s3fs",      "fuse.smbnetfs", "fuse.goofys",  "fuse.seaweedfs", "fuse.vmhgfs-fuse",
      "fuse.mount-s3"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

Result<bool> is_network_filesystem(const std::string& path) {
  struct statfs facts {};
  std::string existing = path.empty() ? "." : path;
  while (::statfs(existing.c_str(), &facts) != 0) {
    if (errno != ENOENT || existing == "/" || existing == ".") {
      return system_error("cannot ask about the file system of '" + path + "'", errno);
    }
    const auto slash = existing.find_last_of('/');
    existing = slash == std::string::npos ? "." : slash == 0 ? "/" : existing.substr(0, slash);
  }
  const auto magic = static_cast<std::uint32_t>(facts.f_type);
  if (magic == kFuseMagic) return is_network_fuse(existing);
  return std::find(kNetworkMagic.begin(), kNetworkMagic.end(), magic) != kNetworkMagic.end();
}

}  // namespace hakuriver::platform
