"""Environments with the real programs: two nodes, each with a docker daemon of its own: docker_environments.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import PATIENCE, Cluster, Program
from docker_engine import DockerEngine, reason_to_skip
from terminal import Terminal, take_terminal

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
BASE = "base:1"


class Environments(unittest.TestCase):
    """Packages are made with the first node's daemon, so the second one's has to load them."""

    @classmethod
    def setUpClass(cls):
        cls.engines = {}
        for node in ("node1", "node2"):
            cls.engines[node] = DockerEngine()
            cls.addClassCleanup(cls.engines[node].close)
            cls.engines[node].__enter__()
        cls.packager = cls.engines["node1"]
        cls.packager.import_image(BASE, 'ENTRYPOINT ["/bin/env","FROM=entrypoint"]')
        cls.cluster = TwoDaemons(cls.engines)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()
        cls.packages = cls.cluster.shared / "hakuriver-containers"

    def programs_in_front(self, script):
        """A directory with a docker that is this script; $docker is the real one."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.cluster.home))
        path = os.environ["PATH"]
        (directory / "docker").write_text(f"#!/bin/sh\nPATH={path}\ndocker={shutil.which('docker')}\n{script}\n")
        (directory / "docker").chmod(0o755)
        return directory

    def program(self, *words, check=0, front=None, **more):
        """What it prints; of a failure its error, which is one line."""
        environment = self.environment()
        if front is not None:
            environment["PATH"] = f"{front}:{environment['PATH']}"
        done = subprocess.run([PROGRAMS / "hakuriver.docker", *words], env=environment, capture_output=True,
                              text=True, check=False, timeout=PATIENCE, stdin=subprocess.DEVNULL, **more)
        self.assertEqual(done.returncode, check, f"{words}: {done.stdout}{done.stderr}")
        if check != 0:
            self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1), done.stderr)
        return done.stdout if check == 0 else done.stderr

    def environment(self):
        return self.cluster.environment(DOCKER_HOST=self.packager.host)

    def package(self, name, content):
        """Of an environment whose /content says that; its version."""
        self.program("shell", name, "--", "sh", "-c", f"echo {content} > /content")
        return int(self.program("package", name).strip())

    def make(self, name, content, base=BASE):
        self.program("create", base, name)
        self.addCleanup(self.packager.docker, "rm", "-f", f"hakuriver-env-{name}", check=False)
        return self.package(name, content)

    def submit(self, container, *words, node="node2", cores="0"):
        return self.cluster.submit("--container", container, "--target", node, "--cores", cores, "--", *words)

    def output(self, task):
        self.cluster.wait_for_status(task, "completed", "failed", "killed")
        status = self.cluster.status(task)
        self.assertEqual(status["status"], "completed", status["error_message"])
        return self.cluster.client("--stdout", task, check=0).stdout

    def events(self, node, event, since):
        """Of images, from that time on: a daemon remembers its last 256 events only."""
        done = self.engines[node].docker("events", "--since", f"{since:.9f}", "--until", str(int(time.time()) + 1), "--filter",
                                         "type=image", "--filter", f"event={event}", "--format", "{{.ID}}")
        return done.stdout.split()

    def test_a_change_reaches_tasks_on_every_node(self):
        version = self.make("life", "one")
        listed = json.loads(self.program("list", "--output", "json"))
        mine = next(each for each in listed if each["name"] == "life")
        self.assertEqual((mine["state"], mine["image"], mine["current"], mine["versions"]),
                         ("running", BASE, version, [version]))
        for node in ("node1", "node2"):
            task = self.submit("life", "sh", "-c", "cat /content; echo $FROM", node=node)
            self.assertEqual(self.output(task), "one\nentrypoint\n")
            status = self.cluster.status(task)
            self.assertEqual((status["container_name"], status["container_version"]), ("life", version))
        manifest = json.loads((self.packages / f"life-{version}.json").read_text())
        tar = (self.packages / f"life-{version}.tar").read_bytes()
        self.assertEqual((manifest["sha256"], manifest["size"], manifest["base_image"]),
                         (hashlib.sha256(tar).hexdigest(), len(tar), BASE))
        self.assertEqual([path.name for path in self.packages.glob(".*.part")], [])

    def test_a_package_of_an_image_without_an_entrypoint_has_none(self):
        self.packager.import_image("plain:1")
        self.make("plain", "one", "plain:1")
        self.assertEqual(self.output(self.submit("plain", "echo", "hello")), "hello\n")

    def test_a_task_keeps_the_version_that_it_was_submitted_with(self):
        first = self.make("pinned", "one")
        blocker = self.cluster.submit("--target", "node2", "--cores", "8", "--", "sleep", "1000")
        self.cluster.wait_for_status(blocker, "running")
        waiting = self.submit("pinned", "cat", "/content", cores="8")
        second = self.package("pinned", "two")
        self.assertGreater(second, first)
        later = self.submit("pinned", "cat", "/content", cores="8")
        self.cluster.client("--kill", blocker, check=0)
        self.assertEqual((self.output(waiting), self.output(later)), ("one\n", "two\n"))
        self.program("rollback", "pinned")
        self.assertEqual(self.output(self.submit("pinned", "cat", "/content")), "one\n")
        self.assertEqual(self.output(self.submit(f"pinned@{second}", "cat", "/content")), "two\n")
        refused = self.cluster.client("--container", "pinned@5", "--", "true")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("pinned@5", refused.stderr)
        self.program("rollback", "pinned", "5", check=3)
        self.program("rollback", "pinned", check=3)  # there is none before the first
        marked = {each["version"]: each["current"] for each in json.loads(self.program("versions", "pinned", "-o", "json"))}
        self.assertEqual(marked, {first: True, second: False})
        self.assertIn("roll back", self.program("delete", "pinned", "--version", str(first), check=4))
        self.program("delete", "pinned", "--version", str(second))
        self.assertIn("--force", self.program("delete", "pinned", "--version", str(first), check=4))
        self.program("delete", "pinned", "--version", str(first), "--force")
        self.assertEqual([path.name for path in self.packages.glob("pinned*")], [])
        self.assertNotIn("base", self.images_of("pinned"))  # tasks would go on with what was deleted
        self.assertGreater(self.package("pinned", "three"), second)
        self.assertEqual(self.output(self.submit("pinned", "cat", "/content")), "three\n")

    def test_what_many_tasks_miss_is_loaded_once(self):
        self.make("many", "here")
        begin = time.time()
        tasks = [self.submit("many", "cat", "/content") for _ in range(16)]
        self.assertEqual([self.output(task) for task in tasks], ["here\n"] * 16)
        self.assertEqual(len(self.events("node2", "load", begin)), 1)

    def test_a_damaged_package_is_not_loaded_and_the_task_waits_for_a_whole_one(self):
        version = self.make("torn", "whole")
        tar = self.packages / f"torn-{version}.tar"
        content = tar.read_bytes()
        tar.write_bytes(content[:len(content) // 2])
        begin = time.time()
        task = self.submit("torn", "cat", "/content")
        self.cluster.wait_until(lambda: "damaged" in str(self.cluster.status(task)), "the reason")
        self.assertEqual(self.events("node2", "load", begin), [])
        tar.write_bytes(content)
        self.assertEqual(self.output(task), "whole\n")

    def put_old(self, name, *images):
        """A package without a manifest that holds these images of the packager's."""
        self.packager.docker("save", "--output", str(self.packages / f"{name}-7.tar"), *images)

    def test_a_package_that_would_replace_other_images_is_not_loaded(self):
        self.packager.docker("tag", BASE, "hakuriver/greedy:7")
        self.put_old("greedy", "hakuriver/greedy:7", BASE)
        begin = time.time()
        task = self.submit("greedy", "true")
        self.cluster.wait_until(lambda: f"'{BASE}'" in str(self.cluster.status(task)), "the reason")
        self.assertEqual(self.events("node2", "load", begin), [])
        self.put_old("greedy", "hakuriver/greedy:7")
        self.cluster.wait_for_status(task, "completed")

    def test_a_package_that_podman_named_is_found_by_its_usual_name(self):
        self.packager.docker("tag", BASE, "localhost/hakuriver/pods:7")
        self.put_old("pods", "localhost/hakuriver/pods:7")
        self.cluster.wait_for_status(self.submit("pods", "true"), "completed")

    def test_a_directory_of_packages_that_everybody_can_fill_is_not_used(self):
        version = self.make("open", "x")
        self.addCleanup(self.packages.chmod, 0o755)
        self.packages.chmod(0o777)
        said = self.cluster.client("--container", f"open@{version}", "--", "true", check=4).stderr
        self.assertIn(f"the directory of packages '{self.packages}' can be written to by everybody", said)

    def test_a_package_that_is_gone_fails_its_task(self):
        version = self.make("gone", "x")
        blocker = self.cluster.submit("--target", "node2", "--cores", "8", "--", "sleep", "1000")
        self.cluster.wait_for_status(blocker, "running")
        task = self.submit("gone", "true", cores="8")
        self.program("delete", f"gone@{version}", "--force")
        self.cluster.client("--kill", blocker, check=0)
        self.cluster.wait_for_status(task, "failed")
        status = self.cluster.status(task)
        self.assertIn(f"gone@{version}", status["error_message"])
        self.assertEqual(status["exit_code"], 126)

    def test_a_task_that_waits_for_its_image_can_be_killed(self):
        self.make("slow", "x")
        runner = next((self.cluster.home / "runner-node2").glob("state/**/containers"))
        (runner / "images").mkdir(exist_ok=True, mode=0o700)
        name = hashlib.sha256(b"hakuriver/slow").hexdigest()
        with open(runner / "images" / f"{name}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            task = self.submit("slow", "true")
            self.cluster.wait_for_status(task, "running")
            self.assertEqual(self.output(self.cluster.submit("--target", "node2", "--", "echo", "on")), "on\n")
            self.cluster.client("--kill", task, check=0)
            self.cluster.wait_for_status(task, "killed")
        self.assertNotIn(f"hakuriver-task-{task}", self.engines["node2"].names())
        self.assertEqual(self.output(self.submit("slow", "cat", "/content")), "x\n")

    def test_a_packager_that_is_killed_leaves_nothing_that_anyone_would_load(self):
        self.make("killed", "one")
        with subprocess.Popen([PROGRAMS / "hakuriver.docker", "package", "killed"], env=self.environment(),
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as packager:
            for line in packager.stderr:
                if line.startswith("saving"):
                    packager.send_signal(signal.SIGKILL)
                    break
        listed = json.loads(self.program("versions", "killed", "-o", "json"))
        self.assertEqual(len([each for each in listed if each["current"]]), 1)
        for each in listed:
            content = (self.packages / f"killed-{each['version']}.tar").read_bytes()
            self.assertEqual(each["sha256"], hashlib.sha256(content).hexdigest())
        self.package("killed", "three")
        self.assertEqual([path.name for path in self.packages.glob(".killed*.part")], [])
        self.assertEqual(self.output(self.submit("killed", "cat", "/content")), "three\n")

    def start_to_save(self, name):
        """A packager in a session of its own whose docker saves for ever, and the process of that."""
        directory = self.programs_in_front("""
            [ "$1" = save ] || exec "$docker" "$@"
            cd "$(dirname "$0")" && echo $$ > half && mv half pid && exec sleep 1000
        """)
        environment = self.environment()
        environment["PATH"] = f"{directory}:{environment['PATH']}"
        packager = subprocess.Popen([PROGRAMS / "hakuriver.docker", "package", name], env=environment, text=True,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(packager.communicate)
        self.addCleanup(packager.kill)
        self.cluster.wait_until((directory / "pid").exists, "the image to be saved")
        return packager, pathlib.Path("/proc", (directory / "pid").read_text().strip())

    def images_of(self, name):
        return self.packager.docker("images", "--format", "{{.Tag}}", f"hakuriver/{name}").stdout.split()

    def test_a_packager_that_is_killed_takes_the_program_that_saves_along(self):
        version = self.make("orphan", "one")
        packager, saver = self.start_to_save("orphan")
        packager.kill()
        self.cluster.wait_until(lambda: not saver.exists() or "(zombie)" in (saver / "status").read_text(), "the saver's end")
        self.program("delete", "orphan", "--version", str(version), "--force")
        self.assertEqual([path.name for path in self.packages.glob("*orphan*.tar*")], [])

    def test_an_interrupted_packager_leaves_nothing(self):
        self.program("create", BASE, "stopped")
        self.addCleanup(self.packager.docker, "rm", "-f", "hakuriver-env-stopped", check=False)
        packager, saver = self.start_to_save("stopped")
        self.assertEqual(len(self.images_of("stopped")), 1)
        os.killpg(packager.pid, signal.SIGINT)
        output, errors = packager.communicate(timeout=PATIENCE)
        self.assertEqual((packager.returncode, output), (130, ""), errors)
        self.assertIn("interrupted", errors)
        self.assertFalse(saver.exists())
        self.assertEqual(self.images_of("stopped"), [])
        self.assertEqual([path.name for path in self.packages.glob("*stopped*") if not path.name.startswith(".")], [])
        self.assertEqual([path.name for path in self.packages.glob(".stopped*.part")], [])

    def test_containers_of_others_are_left_alone(self):
        self.packager.docker("run", "-d", "--network=none", "--entrypoint", "sleep", "--name", "hakuriver-env-mine", BASE, "1000")
        self.addCleanup(self.packager.docker, "rm", "-f", "hakuriver-env-mine")
        for words in (["create", BASE, "mine"], ["stop", "mine"], ["start", "mine"], ["delete", "mine"],
                      ["package", "mine"], ["shell", "mine", "--", "true"]):
            with self.subTest(words):
                self.assertIn("somebody else's", self.program(*words, check=4))
        state = json.loads(self.packager.docker("inspect", "hakuriver-env-mine").stdout)[0]["State"]["Status"]
        self.assertEqual(state, "running")
        self.assertNotIn("mine", [each["name"] for each in json.loads(self.program("list", "-o", "json"))])

    def test_start_stop_and_delete(self):
        self.assertIn("create makes one", self.program("stop", "brief", check=3))
        self.program("create-container", BASE, "brief")
        self.addCleanup(self.packager.docker, "rm", "-f", "hakuriver-env-brief", check=False)
        self.program("create", BASE, "brief")
        self.program("create", "other:1", "brief", check=4)
        state = lambda: next(each["state"] for each in json.loads(self.program("list", "-o", "json")) if each["name"] == "brief")
        self.program("stop", "brief")
        self.assertEqual(state(), "exited")
        self.assertEqual(self.program("shell", "brief", "--", "echo", "up"), "up\n")
        self.assertEqual(state(), "running")
        (self.cluster.shared / "shared_data" / "seen").write_text("shared\n")
        self.assertEqual(self.program("shell", "brief", "--", "cat", "/shared/seen"), "shared\n")
        self.program("delete", "brief")
        self.assertNotIn("hakuriver-env-brief", self.packager.names())

    def test_whoever_loses_a_race_to_create_leaves_the_container_of_the_other(self):
        name = "hakuriver-env-raced"
        self.addCleanup(self.packager.docker, "rm", "-f", name, check=False)
        # The loser looks for the container before it is there, and then finds the name taken.
        directory = self.programs_in_front(f"""
            if [ "$1" = create ]; then {PROGRAMS}/hakuriver.docker create {BASE} raced >&2 || exit 9; fi
            exec "$docker" "$@"
        """)
        self.assertIn("there already", self.program("create", BASE, "raced", front=directory))
        self.assertEqual(self.program("shell", "raced", "--", "echo", "alive"), "alive\n")

    def test_a_container_that_does_not_start_is_not_left(self):
        root = self.cluster.home / "empty.tar"
        subprocess.run(["tar", "-cf", root, "-T", "/dev/null"], check=True)
        self.packager.docker("import", str(root), "empty:1")
        self.assertIn("sleep", self.program("create", "empty:1", "bare", check=1))
        self.assertNotIn("hakuriver-env-bare", self.packager.names())

    def test_a_shell_is_a_real_terminal(self):
        self.make("typed", "x")
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (31, 97))
        shell = subprocess.Popen([PROGRAMS / "hakuriver.docker-shell", "typed"], env=self.environment(), stdin=theirs,
                                 stdout=theirs, stderr=theirs, preexec_fn=lambda: take_terminal(theirs))
        os.close(theirs)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        terminal = Terminal(ours)
        self.addCleanup(os.close, ours)
        until = "until test \"$(stty size)\" = '{}'; do sleep 1; done; echo $((6*7)){}\n"
        terminal.type(until.format("31 97", "first"), self)
        terminal.wait_for("42first", self)
        terminal.type(until.format("40 120", "second"), self)
        termios.tcsetwinsize(ours, (40, 120))
        # docker's client shows what a shell writes before it listens for changes of the size.
        terminal.wait_for("42second", self, meanwhile=lambda: os.kill(shell.pid, signal.SIGWINCH))
        terminal.type("sh -c 'echo $((6*7))asleep; sleep 1000'\n", self)
        terminal.wait_for("42asleep", self)
        terminal.type("\x03", self)
        terminal.type("echo $((6*7))after\n", self)
        terminal.wait_for("42after", self)
        terminal.type("exit 5\n", self)
        self.assertEqual(shell.wait(PATIENCE), 5)

    def test_images_of_registries_are_pulled_once(self):
        if shutil.which("docker-registry") is None:
            (self.fail if "HAKURIVER_NO_SKIP" in os.environ else self.skipTest)("docker-registry is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = self.cluster.home / "registry.yml"
        config.write_text(f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {self.cluster.home}/registry\n"
                          f"http:\n  addr: 127.0.0.1:{port}\n")
        registry = Program(["docker-registry", "serve", config], self.environment(), self.cluster.home / "registry.log", "/tmp")
        self.addCleanup(registry.stop)
        image = f"127.0.0.1:{port}/box:1"
        self.packager.docker("tag", BASE, image)
        self.cluster.wait_until(lambda: self.packager.docker("push", image, check=False).returncode == 0, "the registry")
        begin = time.time()
        tasks = [self.submit(image, "echo", "pulled") for _ in range(6)]
        self.assertEqual([self.output(task) for task in tasks], ["pulled\n"] * 6)
        self.assertEqual(len(self.events("node2", "pull", begin)), 1)
        self.assertIsNone(self.cluster.status(tasks[0])["container_version"])
        task = self.submit(f"127.0.0.1:{port}/none:1", "true")
        self.cluster.wait_for_status(task, "failed")
        self.assertIn("none:1", self.cluster.status(task)["error_message"])
        self.assertEqual(self.cluster.status(task)["exit_code"], 126)


class TwoDaemons(Cluster):
    def __init__(self, engines):
        self.engines = engines
        super().__init__(PROGRAMS, nodes=tuple(engines))

    def start_runner(self, node):
        environment = self.environment
        self.environment = lambda **more: environment(DOCKER_HOST=self.engines[node].host, **more)
        try:
            super().start_runner(node)
        finally:
            self.environment = environment


if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
