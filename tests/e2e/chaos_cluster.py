"""A host and runners on loopback whose processes chaos.py kills and starts again."""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

CONFIG = """[network]
host_port = {port}
[timing]
heartbeat_interval = 1
kill_grace = "1s"
[runner]
cores = 64
memory = "64G"
max_tasks = 256
launcher = "plain"
"""

# None of these may be taken for one of the cluster's own tasks.
OWN_PROGRAMS = ("hakuriver.host", "hakuriver.runner", "hakuriver.client", "hakuriver-keeper")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def program_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


class Program:
    """One process that is started again whenever it was killed; that it ends by itself is a fault."""

    def __init__(self, name, words, environment, log):
        self.name = name
        self.words = words
        self.environment = environment
        self.log = log
        self.kills = 0
        self.own_ends = []
        self.process = None
        self.lock = threading.Lock()
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log)

    def notice_end(self):
        status = self.process.poll()
        if status is not None:
            tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
            self.own_ends.append(f"{self.name} ended by itself with {status}: {' | '.join(tail)}")

    def kill(self, pause=0.0):
        with self.lock:
            self.notice_end()
            self.process.kill()
            self.process.wait()
            self.kills += 1
            time.sleep(pause)
            self.start()

    def stop(self, number=signal.SIGTERM):
        with self.lock:
            self.notice_end()
            self.process.send_signal(number)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.own_ends.append(f"{self.name} did not stop within 20 s of {signal.Signals(number).name}")
                self.process.kill()
                self.process.wait()


class Connection:
    """Keep-alive to the host, opened anew whenever it broke. One thread's own."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.connection = None

    def send(self, method, path, body=None, headers=None):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.cluster.port, timeout=20)
        try:
            self.connection.request(method, path, body=None if body is None else json.dumps(body), headers={
                "Authorization": "Bearer " + self.cluster.token(), **(headers or {})})
            reply = self.connection.getresponse()
            return reply.status, reply.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def insist(self, method, path, body=None, headers=None, seconds=60):
        """Sends until the host has looked at it: an answer other than 503 and a broken connection."""
        end = time.monotonic() + seconds
        while True:
            try:
                status, reply = self.send(method, path, body, headers)
                if status != 503:
                    return status, reply
            except (OSError, http.client.HTTPException) as error:
                reply = repr(error)
            if time.monotonic() > end:
                raise TimeoutError(f"{method} {path} was not answered in {seconds} s: {reply!r}")
            time.sleep(0.02)

    def get(self, path):
        status, reply = self.insist("GET", path)
        if status != 200:
            raise ValueError(f"GET {path}: {status} {reply[:300]!r}")
        return json.loads(reply)

    def all_tasks(self):
        tasks, before = [], ""
        while True:
            page = self.get("/api/v1/tasks?limit=1000" + before)
            tasks += page["tasks"]
            if not page["next"]:
                return tasks
            before = "&before=" + page["next"]

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Cluster:
    def __init__(self, programs, home, nodes=("n1", "n2", "n3")):
        self.home = home
        self.nodes = nodes
        self.port = free_port()
        self.shared = home / "shared"
        (home / "config.toml").write_text(CONFIG.format(port=self.port), encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HAKURIVER")}
        self.environment = {**kept, "HAKURIVER_HOME": str(home)}
        self.client_program = str(programs / "hakuriver.client")
        self.host = Program("host", [str(programs / "hakuriver.host")], self.environment, home / "host.log")
        self.runners = []
        for node in nodes:
            state = {**self.environment, "HAKURIVER_PATHS_STATE_DIR": str(home / ("state-" + node))}
            (home / ("state-" + node)).mkdir(mode=0o700)
            words = [str(programs / "hakuriver.runner"), "--name", node]
            self.runners.append(Program(node, words, state, home / (node + ".log")))

    def token(self):
        return (self.home / "token").read_text(encoding="utf-8").strip()

    def wait_until_ready(self):
        end = time.monotonic() + 30
        while not (self.home / "token").exists():
            if time.monotonic() > end:
                raise TimeoutError("no token in 30 s: " + (self.home / "host.log").read_text(encoding="utf-8"))
            time.sleep(0.05)
        connection = Connection(self)
        while [node["status"] for node in connection.get("/api/v1/nodes")["nodes"]] != ["online"] * len(self.nodes):
            if time.monotonic() > end:
                raise TimeoutError("not every node was online in 30 s")
            time.sleep(0.05)
        connection.close()

    def client(self, *words, seconds=60):
        """(exit status, stdout); None where it did not end in time."""
        try:
            done = subprocess.run([self.client_program, *words], env=self.environment, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return None, ""
        return done.returncode, done.stdout

    def keepers(self):
        """Process ids of the keepers. Not by name: a keeper's child is one, too, until it has become its task."""
        found = []
        for lock in self.home.glob("state-*/**/lock"):
            text = lock.read_text(encoding="utf-8").strip()
            if text and program_of(text) == "hakuriver-keeper":
                found.append(int(text))
        return found

    def processes(self):
        """(pid, program) of every process that has this cluster's environment or works in its directory."""
        mark = b"HAKURIVER_HOME=" + os.fsencode(self.home)
        shared = b"HAKURIVER_SHARED_DIR=" + os.fsencode(self.shared)
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                variables = pathlib.Path("/proc", entry, "environ").read_bytes().split(b"\0")
                directory = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if mark in variables or shared in variables or directory.startswith(f"{self.home}/"):
                found.append((int(entry), program_of(entry)))
        return found

    @staticmethod
    def describe(pid):
        """Who it is, and what a keeper could know it by."""
        process = pathlib.Path("/proc", str(pid))
        try:
            words = (process / "cmdline").read_bytes()[:200]
            parent, _, session = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1:4]
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            return f"{pid}, which is gone by now"
        task = [entry for entry in variables if entry.startswith(b"HAKURIVER_TASK_ID=")]
        return f"{pid} {words!r}, parent {parent}, session {session}, environment names {task}"

    def leftovers(self):
        """Processes that are none of ours and no zombies: tasks, or what they left running."""
        return [(pid, program) for pid, program in self.processes() if program and program not in OWN_PROGRAMS]

    def stop(self):
        for program in (*self.runners, self.host):
            program.stop()

    def clear(self):
        """Ends what is left, whatever went wrong before."""
        for program in (*self.runners, self.host):
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
        for pid, _ in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
