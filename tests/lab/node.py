"""A node with a real systemd as PID 1, a network address and a host name of its own.

    lab.enter()
    with LabNode("node1", "10.77.0.11", programs=PROGRAMS) as node:
        status, out, err = node.run(["systemctl", "is-system-running"])

Its files are this machine's, copied on write, without what this machine has configured for systemd and without root's
home. `node.shared` is the same directory in all nodes and on this machine, /shared inside. `programs` and `binds` are
seen inside, read-only, under their own paths. A node that is killed or rebooted keeps its files.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import time
import typing
import uuid

import lab

PATIENCE = 60  # seconds until a test gives up on something that should come at once

# Units that every node would start and that no test needs.
MASKED = ("systemd-networkd.service", "systemd-resolved.service", "systemd-udevd.service", "systemd-udev-trigger.service",
          "systemd-timesyncd.service", "systemd-firstboot.service", "systemd-modules-load.service",
          "systemd-binfmt.service", "systemd-repart.service", "systemd-sysusers.service", "systemd-sysctl.service",
          "systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "systemd-update-done.service",
          "systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-random-seed.service",
          "systemd-machine-id-commit.service", "systemd-journal-flush.service", "systemd-pcrphase.service",
          "systemd-pcrphase-sysinit.service", "ldconfig.service", "kmod-static-nodes.service", "dev-hugepages.mount",
          "sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
          "sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount", "systemd-tmpfiles-clean.timer",
          "getty.target", "getty-static.service", "console-getty.service", "systemd-initctl.socket",
          "systemd-logind.service")  # `logind=True`: user managers, loginctl


class Done(typing.NamedTuple):
    status: int
    out: str
    err: str


class LabNode:
    def __init__(self, name, address=None, programs=None, binds=(), logind=False, options=()):
        """`address`: an IPv4 address of 10.77.0.0/24, or none. `options`: more words for systemd-nspawn."""
        self.name = name
        self.address = address
        self.programs = pathlib.Path(programs).resolve() if programs else None
        self.binds = [pathlib.Path(path).resolve() for path in binds]
        self.options = list(options)
        self.place = lab.DIRECTORY / name
        self.root = self.place / "root"
        self.shared = lab.DIRECTORY / "shared"
        self.console = self.place / "console.log"
        self.pid1 = None
        self._process = None
        self._masked = [unit for unit in MASKED if not (logind and unit == "systemd-logind.service")]

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_):
        self.kill()

    def start(self):
        """Returns when the node has booted."""
        if not self.root.exists():
            self._make_root()
        words = ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no",
                 "--private-users=identity", "--resolv-conf=off", "--timezone=off", "--console=read-only",
                 f"--machine={self.name}", f"--directory={self.root}", f"--bind={self.shared}:/shared"]
        words.append(f"--network-bridge={lab.BRIDGE}" if self.address else "--private-network")
        libexec = [self.programs.parent / "libexec"] if self.programs else []
        for path in [self.programs, *libexec, pathlib.Path(__file__).resolve().parent.parent, *self.binds]:
            if path and path.exists():
                words.append(f"--bind-ro={path}")
        # nspawn reads its --boot parameters to the end of the line.
        words += [*self.options, "--boot"]
        with open(self.console, "ab") as console:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                             preexec_fn=self._before_nspawn)
        self.wait_until(self._find_pid1, "its first process")
        self._configure_network()
        self.wait_until(lambda: self._state() in ("running", "degraded"), "the end of its boot")

    def _make_root(self):
        self.shared.mkdir(exist_ok=True)
        upper, work = self.place / "upper", self.place / "work"
        for path in (upper, work, self.root):
            path.mkdir(parents=True)
        for hidden in ("etc/systemd/system", "etc/systemd/user", "etc/init.d", "root", "var/log", "var/lib/systemd"):
            (upper / hidden).mkdir(parents=True)
            os.setxattr(upper / hidden, "trusted.overlay.opaque", b"y")
        (upper / "root").chmod(0o700)
        for unit in self._masked:
            (upper / "etc/systemd/system" / unit).symlink_to("/dev/null")
        (upper / "etc/hostname").write_text(f"{self.name}\n")
        (upper / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
        (upper / "shared").mkdir()
        tried = subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                                f"lowerdir=/,upperdir={upper},workdir={work}", self.root],
                               capture_output=True, text=True)
        if tried.returncode:
            lab.skip(f"no overlay file system here: {tried.stderr.strip()}")

    def _before_nspawn(self):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        os.setsid()
        lab.join_new_cgroup(self.name)

    def _find_pid1(self):
        """nspawn's child of the name that systemd gives itself, after it has become systemd."""
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name}: systemd-nspawn ended with {self._process.returncode}:\n{self.log()}")
        for pid in _children(self._process.pid):
            try:
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "systemd":
                    self.pid1 = pid
            except OSError:
                pass
        return self.pid1

    def _configure_network(self):
        enter = ["nsenter", "-t", str(self.pid1), "-n", "ip"]
        subprocess.run([*enter, "link", "set", "lo", "up"], check=True)
        if self.address:
            subprocess.run([*enter, "addr", "add", f"{self.address}/24", "dev", "host0"], check=True)
            subprocess.run([*enter, "link", "set", "host0", "up"], check=True)
            subprocess.run([*enter, "route", "add", "default", "via", lab.ADDRESS], check=True)

    def _state(self):
        return self.run(["systemctl", "is-system-running"]).out.strip()

    def _words(self, words, user, cwd, environment):
        """PATH has the programs in front; nothing else of this process's environment gets in."""
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables = {"PATH": f"{self.programs}:{path}" if self.programs else path, "LANG": "C.UTF-8",
                     "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}
        for name in (*lab.SANITIZER_VARIABLES, "HAKURIVER_NO_SKIP"):
            if name in os.environ:
                variables[name] = os.environ[name]
        if user:
            variables.update(USER=user, LOGNAME=user, HOME=f"/home/{user}")
        variables.update(environment or {})
        line = ["nsenter", "-t", str(self.pid1), "-a", "env", "-i", f"--chdir={cwd}",
                *(f"{name}={value}" for name, value in variables.items())]
        if user:
            line += ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", "--"]
        return [*line, *(str(word) for word in words)]

    def _join(self):
        """The cgroup of the node's first process: else its systemd could not move what it is asked to."""
        for line in pathlib.Path(f"/proc/{self.pid1}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            mounted = lab.hierarchy(controllers)
            if mounted:
                (mounted / path.lstrip("/") / "cgroup.procs").write_text("0")

    def popen(self, words, user=None, cwd="/", environment=None, **more):
        """The process of nsenter: signals go to the program inside through `node.run(["kill", ...])` only."""
        return subprocess.Popen(self._words(words, user, cwd, environment), preexec_fn=self._join, **more)

    def run(self, words, user=None, cwd="/", environment=None, stdin="", timeout=PATIENCE):
        """Runs a command in the node, outside of all of its units."""
        with self.popen(words, user, cwd, environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True, errors="replace") as process:
            try:
                out, err = process.communicate(stdin, timeout)
            except BaseException:
                process.kill()
                raise
        return Done(process.returncode, out, err)

    def check(self, words, **more):
        """What a command that must succeed prints."""
        done = self.run(words, **more)
        if done.status:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, words))}: status {done.status}\n{done.out}{done.err}")
        return done.out

    def path(self, inside):
        """Where this machine sees a file of the node. Not for what is mounted inside, such as /run and /tmp."""
        return self.root / str(inside).lstrip("/")

    def write(self, inside, text, mode=0o644):
        """As `path`."""
        self.path(inside).parent.mkdir(parents=True, exist_ok=True)
        self.path(inside).write_text(text)
        self.path(inside).chmod(mode)

    def cut(self):
        """Nothing goes in or out any more; connections hang, they do not break."""
        subprocess.run(["ip", "link", "set", f"vb-{self.name}"[:15], "down"], check=True)

    def join(self):
        subprocess.run(["ip", "link", "set", f"vb-{self.name}"[:15], "up"], check=True)

    def kill(self):
        """As if its plug were pulled."""
        if self._process is None:
            return
        inside = _pidfd(self.pid1)
        self._process.kill()
        self._process.wait()
        if inside is not None:
            if _runs(self.pid1):
                signal.pidfd_send_signal(inside, signal.SIGKILL)
            os.close(inside)
            self.wait_until(lambda: not _runs(self.pid1), "the end of its first process")
        self._process = self.pid1 = None

    def reboot(self):
        """In order, with systemctl; returns when it has booted again."""
        self.check(["systemctl", "reboot"])
        self._process.wait(PATIENCE)
        self._process = self.pid1 = None
        self.start()

    def log(self):
        """The end of what its console showed."""
        return self.console.read_text(errors="replace")[-3000:] if self.console.exists() else ""

    def wait_until(self, holds, what, patience=PATIENCE):
        end = time.monotonic() + patience
        while not holds():
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: in vain: {what}\n{self.log()}")
            time.sleep(0.05)


def _children(pid):
    found = []
    for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in tasks.read_text().split()]
        except OSError:
            pass
    return found


def _runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (OSError, IndexError):
        return False


def _pidfd(pid):
    try:
        return os.pidfd_open(pid) if pid else None
    except OSError:
        return None
