"""A place for real nodes on one machine: namespaces of its own, in which nothing outlives the test.

    lab.enter()     # first thing of a script: starts it again inside, or skips it with the reason

Mounts, the bridge, addresses and processes belong to these namespaces, so they are gone when the script is, however it
ended, and two scripts at a time do not meet. What remains of a killed script are empty cgroups; the next one removes
them.
"""

import os
import pathlib
import shutil
import signal
import subprocess
import sys

BRIDGE = "hklab"
ADDRESS = "10.77.0.1"  # of the machine itself, on the bridge
INSIDE = "HAKURIVER_LAB"
DIRECTORY = pathlib.Path("/run/hakuriver-lab")  # scratch space in memory; each script's own in spite of the name
CGROUPS = pathlib.Path("/sys/fs/cgroup")
PREFIX = "hakuriver-lab-"
# What a build needs of the environment where its programs run.
SANITIZER_VARIABLES = ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS")

def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)


def enter(programs=("systemd-nspawn", "unshare", "nsenter", "ip")):
    """Returns inside; never returns outside."""
    if INSIDE in os.environ:
        _make_place()
        _serve_as_init()
        return
    reason = _reason_to_skip(programs)
    if reason:
        skip(reason)
    remove_cgroups_of_the_dead()
    os.environ[INSIDE] = _identity(os.getpid())
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.execvp(words[0], [*words, sys.executable, *sys.argv])


def _reason_to_skip(programs):
    if os.geteuid() != 0:
        return "only root can start nodes"
    for program in programs:
        if not shutil.which(program):
            return f"{program} is not installed"
    if "systemd-nspawn" in programs and not os.path.exists("/lib/systemd/systemd"):
        return "systemd is not installed"
    tried = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"],
                           capture_output=True, text=True)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else None


def _serve_as_init():
    """The first process of a process namespace reaps what nobody else does; the script goes on in a child."""
    child = os.fork()
    if child == 0:
        return
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: os.kill(child, number))
    while True:
        pid, status = os.wait()
        if pid == child:
            _remove_cgroups(own_cgroup_name())
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _make_place():
    DIRECTORY.mkdir(exist_ok=True)
    for words in (["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(DIRECTORY)],
                  ["ip", "link", "set", "lo", "up"],
                  ["ip", "link", "add", BRIDGE, "type", "bridge"],
                  ["ip", "addr", "add", f"{ADDRESS}/24", "dev", BRIDGE],
                  ["ip", "link", "set", BRIDGE, "up"]):
        tried = subprocess.run(words, capture_output=True, text=True)
        if tried.returncode:
            skip(f"{' '.join(words)}: {tried.stderr.strip()}")
    try:
        subprocess.run(["true"], preexec_fn=lambda: join_new_cgroup("tried"), check=True)
    except subprocess.SubprocessError:
        skip(f"no cgroups can be made below {CGROUPS}")


def _identity(pid):
    """Also says whether it is still the same process."""
    return f"{pid}-{pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[19]}"


def own_cgroup_name():
    return PREFIX + os.environ[INSIDE]


def join_new_cgroup(name):
    """In every hierarchy: for a process that is about to become a node's, so that nodes do not share theirs."""
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mounted = hierarchy(controllers)
        if not mounted:
            continue
        made = mounted / path.lstrip("/") / own_cgroup_name() / name
        made.mkdir(parents=True, exist_ok=True)
        if controllers == "cpuset":
            for part in (made.parent, made):
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (part / file).write_text((part.parent / file).read_text())
        elif not controllers:
            _pass_controllers_on(made)
        (made / "cgroup.procs").write_text("0")


def hierarchy(controllers):
    if not controllers:
        places = [CGROUPS, CGROUPS / "unified"]
        return next((place for place in places if (place / "cgroup.controllers").exists()), None)
    place = CGROUPS / controllers.removeprefix("name=")
    return place if place.is_dir() else None


def _pass_controllers_on(made):
    for part in (made.parent.parent, made.parent):
        for controller in (part / "cgroup.controllers").read_text().split():
            try:
                (part / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                pass  # then the nodes do without, and their tests say so


def _remove_cgroups(name):
    """Those that are empty, the innermost first. Whether none is left."""
    left = False
    for hierarchy in [CGROUPS, *CGROUPS.iterdir()]:
        for top, _, _ in list(os.walk(hierarchy)):
            if pathlib.Path(top).name != name:
                continue
            for inner, _, _ in os.walk(top, topdown=False):
                try:
                    os.rmdir(inner)
                except OSError:
                    left = True
    return not left


def remove_cgroups_of_the_dead():
    """Of scripts that were killed. Whether all of them could be removed."""
    names = {part for top, parts, _ in os.walk(CGROUPS) for part in parts if part.startswith(PREFIX)}
    dead = {name for name in names if not _lives(name)}
    return all([_remove_cgroups(name) for name in dead])


def _lives(name):
    pid = name.removeprefix(PREFIX).partition("-")[0]
    try:
        return PREFIX + _identity(int(pid)) == name
    except (OSError, ValueError):
        return False
