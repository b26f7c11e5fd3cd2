"""A host and a runner on two addresses, as on two machines: two_addresses.py PROGRAMS

Each machine is a network namespace with a directory of its own for its user; a bridge is the network between them. That
needs root; without it there is nothing to test and the reason is said. With HAKURIVER_NO_SKIP in the environment that
is a failure.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from cluster import Program

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
PATIENCE = 60
HOST, NODE = "10.0.0.1", "10.0.0.2"


def run(*words, check=True):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{words}: {done.stdout}{done.stderr}")
    return done


def reason_to_skip():
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "there is no ip (Debian's package iproute2)"
    name = f"hkr{os.getpid()}t"
    tried = run("ip", "netns", "add", name, check=False)
    if tried.returncode != 0:
        return f"no network namespace can be made here: {tried.stderr.strip()}"
    run("ip", "netns", "del", name)
    return None


class Machine:
    """A network namespace, and the home of its user."""

    def __init__(self, network, name, address):
        self.namespace = f"{network.prefix}{name}"
        self.link = f"{network.prefix}{name}l"
        self.home = network.scratch / name
        self.home.mkdir()
        run("ip", "netns", "add", self.namespace)
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        run("ip", "link", "set", self.link, "master", network.bridge, "up")
        run(*self.inside("ip", "addr", "add", f"{address}/24", "dev", "eth0"))
        for device in ("lo", "eth0"):
            run(*self.inside("ip", "link", "set", device, "up"))

    def inside(self, *words):
        return ["ip", "netns", "exec", self.namespace, *words]

    def environment(self):
        return {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(self.home), "LANG": "C.UTF-8"}

    def start(self, name, *words):
        log = self.home / f"{name}-{time.monotonic_ns()}.log"
        return Program(self.inside(PROGRAMS / name, *words), self.environment(), log, self.home)

    def run(self, name, *words, check=0):
        done = subprocess.run([str(word) for word in self.inside(PROGRAMS / name, *words)], env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
        if done.returncode != check:
            raise AssertionError(f"{name} {words}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def set_cable(self, state):
        run("ip", "link", "set", self.link, state)

    def close(self):
        run("ip", "netns", "del", self.namespace, check=False)
        run("ip", "link", "del", self.link, check=False)


class Network:
    def __init__(self):
        self.prefix = f"hk{os.getpid() % 100000}"
        self.bridge = f"{self.prefix}b"
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-machines-"))
        self.machines = []
        run("ip", "link", "add", self.bridge, "type", "bridge")
        run("ip", "link", "set", self.bridge, "up")

    def add(self, name, address):
        machine = Machine(self, name, address)
        self.machines.append(machine)
        return machine

    def close(self):
        for machine in self.machines:
            machine.close()
        run("ip", "link", "del", self.bridge, check=False)
        shutil.rmtree(self.scratch, ignore_errors=True)


def set_keys(config, **keys):
    """As a person would edit the file: the line of each key, commented out or not, gets its value."""
    text = config.read_text()
    for key, value in keys.items():
        text, count = re.subn(rf"(?m)^(# ?)?{key} *=.*$", f"{key} = {value}", text, count=1)
        assert count == 1, key
    config.write_text(text)


class TwoMachines(unittest.TestCase):
    """The README's recipe; `share` makes shared_dir one directory or, wrongly, two."""

    def setUp(self):
        reason = REASON
        if reason and os.environ.get("HAKURIVER_NO_SKIP"):
            self.fail(reason)
        if reason:
            self.skipTest(reason)
        self.network = Network()
        self.addCleanup(self.network.close)
        self.programs = []
        self.addCleanup(self.stop)
        self.host = self.network.add("one", HOST)
        self.node = self.network.add("two", NODE)

    def stop(self):
        for program in reversed(self.programs):
            program.stop()

    def start(self, machine, *words):
        self.programs.append(machine.start(*words))
        return self.programs[-1]

    def begin(self, shared_at_node=None):
        """Host, copied files, runner; a directory of the node's own where `shared_at_node` names one."""
        shared = self.network.scratch / "shared"
        shared.mkdir()
        self.host.run("hakuriver.init")
        settings = self.host.home / ".hakuriver"
        set_keys(settings / "config.toml", host_reachable_address=f'"{HOST}"', shared_dir=f'"{shared}"',
                 heartbeat_interval="1", heartbeat_timeout_factor="5")
        self.start(self.host, "hakuriver.host").wait_for_line(rf"listening on .*{re.escape(HOST)}:(\d+)")

        copied = self.node.home / ".hakuriver"
        copied.mkdir()
        for name in ("config.toml", "token"):
            shutil.copy2(settings / name, copied / name)
        refused = self.node.run("hakuriver.runner", check=2)
        self.assertIn(b"runner_user", refused.stderr)
        self.assertEqual(refused.stderr.count(b"\n"), 1, refused.stderr)
        set_keys(copied / "config.toml", runner_user='"root"')
        if shared_at_node:
            shared_at_node.mkdir()
            set_keys(copied / "config.toml", shared_dir=f'"{shared_at_node}"')
        self.runner = self.start(self.node, "hakuriver.runner", "--name", "two")
        self.runner.wait_for_line("registered")

    def client(self, *words, check=0):
        return self.host.run("hakuriver.client", *words, check=check).stdout.decode()

    def submit_script(self, text):
        return self.client("--target", "two", "--", "sh", "-c", text).strip()

    def wait_for_state(self, state, *words):
        end = time.monotonic() + PATIENCE
        while not re.search(rf"(?m)^State: *{state}", self.client(*words)):
            self.assertLess(time.monotonic(), end, state)
            time.sleep(0.05)

    def follow(self, task, *words):
        follower = subprocess.Popen([str(word) for word in self.host.inside(PROGRAMS / "hakuriver.client", "--stdout",
                                                                            task, "--follow", *words)],
                                    env=self.host.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, text=True)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        return follower

    def test_the_recipe(self):
        self.begin()
        task = self.client("--wait", "--", "sh", "-c", "echo from $HAKURIVER_NODE; echo oh >&2; exit 3", check=3)
        self.assertEqual(self.client("--stdout", task.strip()), "from two\n")
        self.assertEqual(self.client("--stderr", task.strip()), "oh\n")
        # From the other machine as well, with the same two files; and not without the token.
        self.assertEqual(self.node.run("hakuriver.client", "--stdout", task.strip()).stdout, b"from two\n")
        (self.node.home / ".hakuriver" / "token").write_text("0" * 64 + "\n")
        refused = self.node.run("hakuriver.client", "--list-nodes", check=4)
        self.assertEqual(refused.stderr.count(b"\n"), 1, refused.stderr)
        self.assertIn(b"token", refused.stderr)

    def test_output_that_is_not_shared_is_asked_of_the_node(self):
        own = self.network.scratch / "own"
        self.begin(shared_at_node=own)
        size = 3_000_000  # in several parts
        big = self.client("--wait", "--", "sh", "-c", f"yes 0123456 | head -c {size}; printf '\\377\\n' >&2").strip()
        self.assertEqual(os.listdir(self.network.scratch / "shared" / "task_outputs")
                         if (self.network.scratch / "shared" / "task_outputs").exists() else [], [])
        self.assertEqual(self.client("--stdout", big), "0123456\n" * (size // 8))
        self.assertEqual(self.client("--stdout", big, "--tail", "2"), "0123456\n" * 2)
        self.assertEqual(self.host.run("hakuriver.client", "--stderr", big).stdout, b"\377\n")
        none = self.client("--wait", "--", "true").strip()
        self.assertEqual(self.client("--stdout", none), "")
        sweep = self.network.scratch / "sweep"
        sweep.write_text('{"cores": 0, "sweep": {"words": ["echo", {"axis": "i"}],'
                         ' "axes": [{"name": "i", "first": 10, "last": 39}]}}')
        told = self.client("--sweep", sweep, "--follow", "--with-outputs")
        for index in range(30):
            self.assertRegex(told, f"(?m)^output {index} stdout 3\n{index + 10}\nend {index} ")

        gate = own / "gate"
        task = self.submit_script(f"echo one; until test -e {gate}; do sleep 0.05; done; echo two")
        follower, late = self.follow(task), self.follow(task, "--tail", "1")
        self.assertEqual((follower.stdout.readline(), late.stdout.readline()), ("one\n", "one\n"))
        gate.touch()
        for each in (follower, late):
            out, words = each.communicate(timeout=PATIENCE)
            self.assertEqual((each.returncode, out), (0, "two\n"), words)

        self.runner.stop()
        gone = self.host.run("hakuriver.client", "--stdout", big, check=5)
        self.assertEqual(gone.stdout, b"")
        self.assertIn(b"node 'two' does not answer", gone.stderr)

    def test_a_cable_that_is_out_for_a_while(self):
        own = self.network.scratch / "own"
        self.begin(shared_at_node=own)
        gate = own / "gate"
        task = self.submit_script(f"echo one; until test -e {gate}; do sleep 0.05; done; echo two; exit 9")
        follower = self.follow(task)
        self.assertEqual(follower.stdout.readline(), "one\n")
        self.node.set_cable("down")
        self.wait_for_state("lost", "--status", task)
        gate.touch()  # it ends where nobody hears of it
        self.node.set_cable("up")
        self.wait_for_state("failed", "--status", task)
        self.client("--wait-for", task, check=9)
        out, words = follower.communicate(timeout=PATIENCE)
        self.assertEqual((follower.returncode, out), (0, "two\n"), words)
        self.assertEqual(self.client("--stdout", task), "one\ntwo\n")


REASON = reason_to_skip()

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
