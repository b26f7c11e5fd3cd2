"""A cluster on the loopback, in a temporary home: for tests and for trying things by hand.

    with Cluster(programs, nodes=("node1", "node2")) as cluster:
        task = cluster.submit("--target", "node1", "--", "echo", "hello")
        cluster.client("--wait-for", task)

Everything that is started is stopped by its process id; nothing else is touched.
"""

import json
import os
import pathlib
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import termios
import time

# Seconds until a test gives up on something that should come at once. An emulated machine takes its time.
PATIENCE = int(os.environ.get("HAKURIVER_PATIENCE", "60"))


class Program:
    """A program in the background, with its log."""

    def __init__(self, words, environment, log, cwd):
        self.log = pathlib.Path(log)
        self._file = open(log, "ab")
        self.process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=self._file,
                                        stderr=self._file, env=environment, cwd=cwd)

    def is_alive(self):
        return self.process.poll() is None

    def wait_for_line(self, pattern):
        """The match of the first log line of this run that fits."""
        end = time.monotonic() + PATIENCE
        while True:
            text = self.log.read_text(errors="replace")
            match = re.search(pattern, text)
            if match:
                return match
            if not self.is_alive() or time.monotonic() > end:
                raise RuntimeError(f"{self.log.name}: no line like {pattern!r}:\n{text}")
            time.sleep(0.01)

    def stop(self, number=signal.SIGTERM):
        if self.is_alive():
            self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._file.close()
        return self.process.returncode


class Cluster:
    def __init__(self, programs, nodes=("node1",), cores=8, memory="32G", home=None):
        self.programs = pathlib.Path(programs).resolve()
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="hakuriver-cluster-"))
        self.shared = self.home / "shared"
        self.nodes = nodes
        self.cores = cores
        self.memory = memory
        self.port = 0
        self.host = None
        self.runners = {}
        self._starts = 0

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def environment(self, **more):
        """That of a user of this cluster; nothing of ours leaks in but PATH."""
        environment = {"PATH": f"{self.programs}:{os.environ['PATH']}", "HOME": str(self.home),
                       "HAKURIVER_HOME": str(self.home), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8",
                       "DOCKER_HOST": "unix:///nonexistent"}  # whatever containers this machine has
        for name in ("ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(more)
        return environment

    def start(self):
        self.home.mkdir(exist_ok=True)
        self.shared.mkdir(exist_ok=True)
        self.write_config()
        subprocess.run([self.programs / "hakuriver.init"], env=self.environment(), check=True, capture_output=True)
        self.start_host()
        for node in self.nodes:
            self.start_runner(node)
        self.wait_for_nodes(self.nodes)

    def write_config(self):
        (self.home / "config.toml").write_text(
            f"[network]\nhost_port = {self.port}\n"
            f'[paths]\nshared_dir = "{self.shared}"\n'
            f'[runner]\ncores = {self.cores}\nmemory = "{self.memory}"\n'
            "[timing]\nkill_grace = 2\n")

    def _log(self, name):
        self._starts += 1
        return self.home / f"{name}-{self._starts}.log"

    def start_host(self):
        """On the port of the first time, from the second time on."""
        self.host = Program([self.programs / "hakuriver.host"], self.environment(), self._log("host"), self.home)
        self.port = int(self.host.wait_for_line(r"listening on \S+:(\d+)").group(1))
        self.write_config()

    def start_runner(self, node):
        home = self.home / f"runner-{node}"
        environment = self.environment(HAKURIVER_PATHS_STATE_DIR=str(home / "state"),
                                       HAKURIVER_PATHS_LOCAL_TEMP_DIR=str(home / "tmp"))
        (home / "state").mkdir(parents=True, exist_ok=True)
        (home / "tmp").mkdir(exist_ok=True)
        self.runners[node] = Program([self.programs / "hakuriver.runner", "--name", node], environment,
                                     self._log(node), "/tmp")

    def wait_for_nodes(self, nodes, status="online"):
        self.wait_until(lambda: all(self.node_status(node) == status for node in nodes),
                        f"nodes {', '.join(nodes)} {status}")

    def node_status(self, name):
        nodes = self.json("--list-nodes")["nodes"]
        return next((node["status"] for node in nodes if node["hostname"] == name), None)

    def wait_until(self, holds, what):
        end = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > end:
                logs = "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-2000:]}"
                                 for log in sorted(self.home.glob("*.log")))
                raise RuntimeError(f"in vain: {what}\n{logs}")
            time.sleep(0.02)

    def client(self, *words, stdin=None, check=None, environment=None, timeout=PATIENCE):
        """The finished process; `check` is the exit status that is expected."""
        done = subprocess.run([self.programs / "hakuriver.client", *words], env=environment or self.environment(),
                              input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL,
                              capture_output=True, text=True, errors="surrogateescape", timeout=timeout, check=False)
        if check is not None and done.returncode != check:
            raise AssertionError(f"{words}: exit {done.returncode}, not {check}\n{done.stdout}{done.stderr}")
        return done

    def dry_run(self, *words, **variables):
        """The command lines that a runner would run, for a shell."""
        return subprocess.run([self.programs / "hakuriver.runner", "--dry-run", *words], capture_output=True, text=True,
                              env=self.environment(**variables), check=True, timeout=PATIENCE).stdout.splitlines()

    def terminal(self, *words, columns=80, **variables):
        """What the client shows on a terminal of that width."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, columns))
        with subprocess.Popen([self.programs / "hakuriver.client", *words], env=self.environment(**variables),
                              stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.STDOUT) as client:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:  # as a terminal ends
                    part = b""
                if not part:
                    break
                shown += part
        os.close(ours)
        if client.returncode != 0:
            raise AssertionError(f"{words}: exit {client.returncode}\n{shown}")
        return shown.decode(errors="replace").replace("\r\n", "\n")

    def bash(self, text, **more):
        return subprocess.run(["bash", "--noprofile", "--norc", "-c", text], env=self.environment(), cwd=self.home,
                              capture_output=True, text=True, timeout=PATIENCE, check=False, **more)

    def json(self, *words):
        return json.loads(self.client(*words, "--output", "json", check=0).stdout)

    def submit(self, *words):
        """The id of the one task."""
        return self.client(*words, check=0).stdout.strip()

    def status(self, task):
        return self.json("--status", task)

    def wait_for_status(self, task, *statuses):
        self.wait_until(lambda: self.status(task)["status"] in statuses, f"task {task} {statuses}")

    def close(self):
        """Ends all tasks, and then what was started here."""
        try:
            self._end_tasks()
            for runner in self.runners.values():
                runner.stop()
            if self.host:
                self.host.stop()
        finally:
            self._leave_nothing()
            shutil.rmtree(self.home, ignore_errors=True)

    def _leave_nothing(self):
        """Where the cluster could not end its tasks, they must not burden what runs after this test."""
        parents, keepers = {}, set()
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                parents[int(process.name)] = int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"hakuriver-keeper") and any(os.fsencode(self.home) in word for word in words):
                keepers.add(int(process.name))
        tree = set(keepers)
        while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
            tree |= more
        if tree == keepers:  # idle ones go by themselves
            return
        for pid in (*keepers, *(tree - keepers)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def _end_tasks(self):
        if self.host and self.host.is_alive():
            live = [task["task_id"] for state in ("pending", "assigning", "running", "paused")
                    for task in self.json("--list-tasks", "--limit", "1000", "--state", state)["tasks"]]
            for task in live:
                self.client("--kill", task)
            if live and any(runner.is_alive() for runner in self.runners.values()):
                self.client("--wait-for", *" --wait-for ".join(live).split())
