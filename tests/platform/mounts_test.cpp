#include "platform/mounts.hpp"

#include <doctest/doctest.h>

#include "platform/files.hpp"

using namespace hakuriver;
using platform::Mount;

TEST_CASE("mount tables are read, with their escapes, and broken lines are left out") {
  const auto mounts = platform::parse_mountinfo(
      "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
      "27 1 252:1 / / rw,relatime shared:1 - ext4 /dev/root rw,discard\n"
      "36 27 0:49 /sub\\040dir /mnt/my\\040disk\\134x rw master:1 propagate_from:2 - fuse.sshfs me@host:/ "
      "rw,user_id=0\n"
      "half a line\n"
      "1 2 3:4 / /x rw -\n"
      "\n"
      "99 27 0:77 / /last rw - nfs4 server:/export");
  REQUIRE(mounts.size() == 4);
  CHECK(mounts[0] == Mount{"0:21", "/", "/proc", "proc", "rw"});
  CHECK(mounts[1] == Mount{"252:1", "/", "/", "ext4", "rw,discard"});
  CHECK(mounts[2] == Mount{"0:49", "/sub dir", "/mnt/my disk\\x", "fuse.sshfs", "rw,user_id=0"});
  CHECK(mounts[3] == Mount{"0:77", "/", "/last", "nfs4", ""});
  CHECK(platform::parse_mountinfo("").empty());
}

TEST_CASE("types of network file systems are told from local ones") {
  for (const auto* type : {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre", "ceph", "gfs2", "afs"}) {
    CAPTURE(type);
    CHECK(platform::is_network_type(type));
  }
  for (const auto* type :
       {"", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "fuse", "fuseblk", "fuse.mergerfs", "nfsd"}) {
    CAPTURE(type);
    CHECK(!platform::is_network_type(type));
  }
}

TEST_CASE("a path that does not exist yet lies on the file system of its parent") {
  for (const auto* path : {"/proc", "/proc/none/such/file", "/dev/shm", "/dev/shm/x/y"}) {
    CAPTURE(path);
    const auto network = platform::is_network_filesystem(path);
    REQUIRE(network);
    CHECK(!*network);
  }
  CHECK(platform::is_network_filesystem("a/relative/name"));
  CHECK(!platform::is_network_filesystem("/proc/self/status/below-a-file"));
}
