"""An emulated machine with cgroup v2 and two NUMA nodes: machine.py PROGRAMS CACHE numa|systemd

Its kernel is Debian's, downloaded once into CACHE; its files are this machine's, read through 9p under an overlay in
memory. It runs numa_tasks.py, or boots systemd and runs the launcher contract with that, and powers off. Emulation is
slow: tests of their own label.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import lab
from node import MASKED

BOOT_PATIENCE = 120  # seconds, of the 20 that it takes
WORK_PATIENCE = 900
BOOTS = 3  # emulated processors sometimes stand still for good while a kernel starts, before anything of ours runs
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
CPUS_OF_NODE = 2
NODES = 2

INIT = """#!/bin/busybox sh
export PATH=/bin:/sbin:/usr/bin:/usr/sbin
/bin/busybox mkdir -p /proc /sys /dev /machine /memory /root
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in $(cat /modules/order); do insmod /modules/$module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 machine /machine
mount -t tmpfs memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/machine,upperdir=/memory/upper,workdir=/memory/work overlay /root
for place in proc sys dev; do mount --move /$place /root/$place; done
mount -t tmpfs memory /root/tmp
mkdir -p /root/lab/out /root/lab/programs /root/lab/tests /root/dev/shm
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 out /root/lab/out
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 programs /root/lab/programs
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 tests /root/lab/tests
"""

NUMA = """mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
mount -t tmpfs memory /root/run
mount -t tmpfs memory /root/dev/shm
ip link set lo up
hostname emulated
touch /root/lab/out/begun
chroot /root /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 \\
    HAKURIVER_PATIENCE=200 HAKURIVER_NO_SKIP=1 \\
    /usr/bin/python3 /lab/tests/lab/numa_tasks.py /lab/programs/bin >/root/lab/out/log 2>&1 </root/dev/null
echo $? >/root/lab/out/status
sync
reboot -f
"""

# Beyond what no node needs: what would look through this machine's files, or mount them anew.
SYSTEMD = """rm -rf /root/etc/systemd/system /root/etc/init.d /root/etc/fstab
mkdir -p /root/etc/systemd/system/multi-user.target.wants
for unit in MASKED systemd-remount-fs.service systemd-tmpfiles-setup.service tmp.mount; do
  ln -s /dev/null /root/etc/systemd/system/$unit
done
echo emulated >/root/etc/hostname
cat >/root/etc/systemd/system/lab.service <<'END'
[Service]
Type=oneshot
Environment=HOME=/tmp LANG=C.UTF-8 HAKURIVER_MANY=12 HAKURIVER_PATIENCE=200 HAKURIVER_NO_SKIP=1
StandardOutput=append:/lab/out/log
StandardError=append:/lab/out/log
ExecStartPre=/bin/touch /lab/out/begun
ExecStart=/usr/bin/python3 /lab/tests/lab/contract.py /lab/programs/bin systemd
ExecStopPost=/bin/sh -c 'echo $$EXIT_STATUS >/lab/out/status; sync; systemctl --force --force poweroff'
END
ln -s ../lab.service /root/etc/systemd/system/multi-user.target.wants/
exec switch_root /root /lib/systemd/systemd
""".replace("MASKED", " ".join(MASKED))

WHAT = {"numa": INIT + NUMA, "systemd": INIT + SYSTEMD}


def find_package():
    listed = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", listed.stdout)
    return found.group(1) if found else None


def fetch_kernel(cache):
    """The directory of an unpacked kernel package, one that has the modules for 9p."""
    cache.mkdir(parents=True, exist_ok=True)
    unpacked = cache / "kernel"
    if not unpacked.exists():
        package = find_package()
        if not package:  # the lists of a fresh image are empty
            subprocess.run(["apt-get", "update", "--quiet"], capture_output=True, check=False)
            package = find_package()
        if not package:
            lab.skip("apt-cache knows no linux-image-amd64")
        fetched = subprocess.run(["apt-get", "download", package], cwd=cache, capture_output=True, text=True)
        if fetched.returncode:
            lab.skip(f"no kernel could be downloaded: {fetched.stderr.strip().splitlines()[-1]}")
        fresh = pathlib.Path(tempfile.mkdtemp(dir=cache))
        subprocess.run(["dpkg", "-x", next(cache.glob("linux-image-*.deb")), fresh], check=True)
        fresh.rename(unpacked)
    return unpacked


def make_initrd(kernel, version, place, init):
    """busybox, what a kernel needs to read 9p, and the first program."""
    root = place / "initrd"
    for directory in ("bin", "modules"):
        (root / directory).mkdir(parents=True)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    subprocess.run(["depmod", "-b", kernel, version], check=True)
    order = []
    for module in MODULES:
        shown = subprocess.run(["modprobe", "-d", kernel, "-S", version, "--show-depends", module], check=True,
                               capture_output=True, text=True)
        for line in shown.stdout.splitlines():
            words = line.split()
            if words[0] == "insmod" and pathlib.Path(words[1]).name not in order:
                order.append(pathlib.Path(words[1]).name)
                shutil.copy(words[1], root / "modules")
    (root / "modules/order").write_text("\n".join(order) + "\n")
    (root / "init").write_text(init)
    (root / "init").chmod(0o755)
    archive = place / "initrd.cpio"
    names = "\n".join(str(path.relative_to(root)) for path in [root, *root.rglob("*")])
    with open(archive, "wb") as file:
        subprocess.run(["cpio", "--create", "--format=newc", "--quiet"], input=names.encode(), cwd=root, stdout=file,
                       check=True)
    return archive


def share(tag, path, *options):
    return ["-virtfs", ",".join(["local", f"path={path}", f"mount_tag={tag}", "security_model=none",
                                 "multidevs=remap", *options])]


def command(kernel, version, initrd, programs, out):
    words = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "2048",
             "-smp", str(NODES * CPUS_OF_NODE), "-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio",
             "-kernel", str(kernel / f"boot/vmlinuz-{version}"), "-initrd", str(initrd), "-append",
             "console=ttyS0 panic=-1 mitigations=off nokaslr cgroup_no_v1=all"]
    for node in range(NODES):
        first = node * CPUS_OF_NODE
        words += ["-object", f"memory-backend-ram,id=m{node},size=1G",
                  "-numa", f"node,cpus={first}-{first + CPUS_OF_NODE - 1},memdev=m{node}"]
    tests = pathlib.Path(__file__).resolve().parent.parent
    return [*words, *share("machine", "/", "readonly=on"), *share("programs", programs.parent, "readonly=on"),
            *share("tests", tests, "readonly=on"), *share("out", out)]


def ends(process, patience):
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return False
    return True


def boot(words, out, console):
    """Whether the machine got over its start, and how it went on: None, or in words what it did not do."""
    (out / "begun").unlink(missing_ok=True)
    with open(console, "wb") as file:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
    try:
        deadline = time.monotonic() + BOOT_PATIENCE
        while not (out / "begun").exists():
            if ends(process, 0.5):
                return True, "the machine ended before its work began"
            if time.monotonic() > deadline:
                return False, f"the machine did not boot within {BOOT_PATIENCE} s"
        if not ends(process, WORK_PATIENCE):
            return True, f"no end of the work within {WORK_PATIENCE} s"
        return True, None if (out / "status").exists() else "the machine ended without a result of its work"
    finally:
        process.kill()
        process.wait()


def run(programs, cache, init):
    kernel = fetch_kernel(cache)
    version = next((kernel / "boot").glob("vmlinuz-*")).name.removeprefix("vmlinuz-")
    with tempfile.TemporaryDirectory(prefix="hakuriver-machine-") as name:
        place = pathlib.Path(name)
        out, console = place / "out", place / "console"
        out.mkdir()
        words = command(kernel, version, make_initrd(kernel, version, place, init), programs, out)
        for _ in range(BOOTS):
            is_over, wrong = boot(words, out, console)
            if wrong:
                print(f"{console.read_text(errors='replace')[-5000:]}\n{wrong}", flush=True)
            if is_over:
                break
        else:
            lab.skip(f"the emulated machine did not boot, {BOOTS} times")
        log, status = out / "log", out / "status"
        print(log.read_text(errors="replace") if log.exists() else "nothing was written", flush=True)
        return int(status.read_text()) if status.exists() else 1


if __name__ == "__main__":
    if os.geteuid() != 0:
        lab.skip("only root can read all files for an emulated machine")
    for program in ("qemu-system-x86_64", "busybox", "cpio", "depmod", "modprobe", "dpkg", "numactl"):
        if not shutil.which(program):
            lab.skip(f"{program} is not installed")
    sys.exit(run(pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), WHAT[sys.argv[3]]))
