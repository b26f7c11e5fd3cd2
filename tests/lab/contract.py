"""What every launcher promises, with the real programs: contract.py PROGRAMS plain|cgroup|systemd|docker

Runs where it is called: on this machine or in a node (contract_in_node.py). The commands need no more than a small Unix:
with docker they run in containers of a daemon of the test's own. What a launcher does not enforce has to be missing in
the node's record, and then nothing is stopped.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import Cluster
import docker_engine

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
LAUNCHER = sys.argv[2]
OPTIONS = ["--container", "contract"] if LAUNCHER == "docker" else []
# A container takes a third of a second to start, and an emulated machine takes its time for everything.
MANY = int(os.environ.get("HAKURIVER_MANY", 40 if LAUNCHER == "docker" else 200))
# Nothing but the processes of a task holds this: a daemon that cut all ties is one of them only to a cgroup.
CONTAINED = LAUNCHER != "plain"


def reason_to_skip():
    """What the runner says; its host is nowhere."""
    if LAUNCHER == "docker":
        return docker_engine.reason_to_skip()
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "HAKURIVER_HOME": home,
                       "HAKURIVER_RUNNER_LAUNCHER": LAUNCHER, "HAKURIVER_NETWORK_HOST_URL": "http://127.0.0.1:1"}
        with subprocess.Popen([PROGRAMS / "hakuriver.runner", "--name", "probe"], env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as runner:
            line = runner.stderr.readline()
            while line and f"launcher '{LAUNCHER}'" not in line and "127.0.0.1:1" not in line:
                line = runner.stderr.readline()
            runner.terminate()
            runner.stderr.read()
        return line.strip() if f"launcher '{LAUNCHER}'" in line else None


def processes_with(mark):
    """The ids of all processes that live and have this word on their command lines, in whatever container."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark.encode() in (entry / "cmdline").read_bytes().split(b"\0") and _stat(entry.name)[0] not in "ZX":
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def cpu_ticks(pid):
    return sum(int(word) for word in _stat(pid)[11:13])


def _stat(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class ContractCluster(Cluster):
    """`cores` so that as many tasks as there are run at once."""

    engine = None

    def start_engine(self):
        self.engine = docker_engine.DockerEngine()
        unittest.addModuleCleanup(self.engine.close)
        self.engine.__enter__()
        self.engine.import_image("hakuriver/contract:base")

    def environment(self, **more):
        if self.engine:  # what the node has for other tasks does not matter
            return super().environment(HAKURIVER_RUNNER_LAUNCHER="plain", DOCKER_HOST=self.engine.host, **more)
        return super().environment(HAKURIVER_RUNNER_LAUNCHER=LAUNCHER, **more)

    def submit(self, *words):
        return super().submit(*OPTIONS, *words)

    def sh(self, *words, options=()):
        """Submits a shell's text, and its arguments."""
        return self.submit(*options, "--", "sh", "-c", words[0], "sh", *words[1:])

    def ended(self, task):
        """Its record, when its state is final."""
        self.wait_until(lambda: self.status(task)["completed_at"] is not None, f"the end of task {task}")
        return self.status(task)

    def output(self, task, stream="--stdout"):
        return self.client(stream, task, check=0).stdout

    def record(self):
        return self.json("--list-nodes")["nodes"][0]

    def kill_keeper(self, node):
        lock = self.home / f"runner-{node}/state/runner-{node}/lock"
        os.kill(int(lock.read_text()), signal.SIGKILL)


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not hasattr(Case, "cluster"):
            Case.cluster = ContractCluster(PROGRAMS, cores=16, memory="4G")
            if LAUNCHER == "docker":
                Case.cluster.start_engine()
            unittest.addModuleCleanup(Case.cluster.close)
            Case.cluster.start()
        cls.enforced = ["cores", "memory"] if LAUNCHER == "docker" else cls.cluster.record()["enforced"]

    def setUp(self):
        self.mark = f"mark-{uuid.uuid4()}"
        self.gate = self.cluster.shared / self.mark  # relative in a task

    def wait_for_processes(self, count):
        self.cluster.wait_until(lambda: len(processes_with(self.mark)) == count, f"{count} processes of {self.mark}")
        return processes_with(self.mark)

    def kill(self, task):
        self.cluster.client("--kill", task, check=0)
        self.assertEqual(self.cluster.ended(task)["status"], "killed")
        # Promise 5: by then the whole tree is gone.
        self.assertEqual(processes_with(self.mark), [])


class Starts(Case):
    def test_the_node_says_which_launcher_it_has(self):
        node = self.cluster.record()
        if LAUNCHER == "docker":
            self.assertTrue(node["containers"], node)
            return
        self.assertEqual(node["launcher"], LAUNCHER)
        if LAUNCHER == "plain":
            self.assertFalse({"cores", "memory"} & set(self.enforced))
        else:
            self.assertLessEqual({"cores", "memory"}, set(self.enforced))

    def test_words_arrive_as_they_are(self):
        words = ["", " ", "a b", "$HOME", "%n %% %", "\\", "'\"", "*", "${X}", "-x", "--", "ä", "a\nb", "a=b;c"]
        task = self.cluster.sh('for word do printf "<%s>" "$word"; done', *words)
        self.assertEqual(self.cluster.ended(task)["status"], "completed")
        self.assertEqual(self.cluster.output(task), "".join(f"<{word}>" for word in words))

    def test_the_environment_is_the_tasks(self):
        value = "a b $HOME %h \\ 'x' \"y\" ä\nz"
        task = self.cluster.sh('printf "%s|%s|%s|%s|" "$GIVEN" "$EMPTY" "$HAKURIVER_TASK_ID" "${LEAKED-none}"; '
                               'test -n "$PATH" && test -n "$HOME" && test -d "$HAKURIVER_SHARED_DIR" && '
                               'test -d "$HAKURIVER_LOCAL_TEMP_DIR" && printf good',
                               options=["--env", f"GIVEN={value}", "--env", "EMPTY="])
        self.cluster.ended(task)
        self.assertEqual(self.cluster.output(task), f"{value}||{task}|none|good")

    def test_it_starts_in_the_shared_directory_or_where_it_is_told(self):
        (self.cluster.shared / "inner").mkdir(exist_ok=True)
        task = self.cluster.sh(f'echo here >{self.mark}; test "$(pwd -P)" = "$(cd "$HAKURIVER_SHARED_DIR"; pwd -P)"')
        self.assertEqual(self.cluster.ended(task)["status"], "completed", self.cluster.output(task, "--stderr"))
        self.assertEqual(self.gate.read_text(), "here\n")
        task = self.cluster.sh(f"echo there >{self.mark}", options=["--cwd", str(self.cluster.shared / "inner")])
        self.assertEqual(self.cluster.ended(task)["status"], "completed", self.cluster.output(task, "--stderr"))
        self.assertEqual((self.cluster.shared / "inner" / self.mark).read_text(), "there\n")

    def test_both_streams_arrive_whole(self):
        task = self.cluster.sh("i=0; while [ $i -lt 3000 ]; do echo out $i; echo err $i >&2; i=$((i + 1)); done")
        self.assertEqual(self.cluster.ended(task)["status"], "completed")
        for stream, word in (("--stdout", "out"), ("--stderr", "err")):
            self.assertEqual(self.cluster.output(task, stream), "".join(f"{word} {i}\n" for i in range(3000)))

    def test_standard_input_is_empty_and_no_descriptor_leaks(self):
        task = self.cluster.sh("cat; ls /proc/self/fd | tr '\\n' ' '")
        self.assertEqual(self.cluster.ended(task)["status"], "completed")
        self.assertEqual(self.cluster.output(task), "0 1 2 3 ")  # 3 is the directory that ls reads

    def test_files_are_made_with_the_usual_mask_and_no_cores_are_dumped(self):
        task = self.cluster.sh("umask; ulimit -c")
        self.cluster.ended(task)
        self.assertEqual(self.cluster.output(task), "0022\n0\n")


class Ends(Case):
    def test_exit_codes_are_told(self):
        tasks = {code: self.cluster.sh(f"exit {code}") for code in (0, 1, 2, 42, 126, 127, 143, 255)}
        for code, task in tasks.items():
            record = self.cluster.ended(task)
            self.assertEqual(record["status"], "completed" if code == 0 else "failed", code)
            self.assertEqual(record["exit_code"], code)

    def test_signals_are_told(self):
        for name in ("KILL", "SEGV", "TERM"):
            task = self.cluster.sh(f"kill -{name} $$; sleep 1000")
            number = signal.Signals[f"SIG{name}"]
            self.assertEqual(self.cluster.ended(task)["status"], "failed")
            self.assertEqual(self.cluster.client("--wait-for", task).returncode, 128 + number)

    def test_a_command_that_is_not_there_or_not_executable(self):
        task = self.cluster.submit("--", "no-such-command")
        record = self.cluster.ended(task)
        self.assertEqual((record["status"], record["exit_code"]), ("failed", 127), record)
        self.assertIn("no-such-command", record["error_message"])
        task = self.cluster.submit("--", "/etc/os-release")
        record = self.cluster.ended(task)
        self.assertEqual((record["status"], record["exit_code"]), ("failed", 126), record)

    def test_children_that_are_left_die_with_their_main_process(self):
        task = self.cluster.sh(f"(trap '' TERM; exec sh -c 'trap \"\" TERM; while :; do sleep 1; done' {self.mark}) & "
                               f"until grep -qs while /proc/$!/cmdline; do :; done; exit 3")
        self.assertEqual(self.cluster.ended(task)["exit_code"], 3)
        self.assertEqual(processes_with(self.mark), [])

    def test_a_time_limit_ends_the_whole_tree(self):
        if "--time" not in self.cluster.client("--help", check=0).stdout:
            self.skipTest("this client has no --time")
        task = self.cluster.sh(f"sh -c 'trap \"\" TERM; while :; do sleep 1; done' {self.mark} & wait",
                               options=["--time", "1s"])
        record = self.cluster.ended(task)
        self.assertEqual(record["status"], "failed", record)
        self.assertEqual(self.cluster.client("--wait-for", task).returncode, 124, record)
        self.assertEqual(processes_with(self.mark), [])


class Limits(Case):
    def test_cores_are_a_quota_on_all_processes_together(self):
        # Two processes use 120 ticks of 10 ms; at a fifth of a core that takes 6 s, without the quota less than 2.
        burn = (f"sh -c 'while :; do :; done' {self.mark} & sh -c 'while :; do :; done' {self.mark} & wait")
        begin = time.monotonic()
        task = self.cluster.sh(burn, options=["--cores", "0.2"])
        pids = self.wait_for_processes(2)
        self.cluster.wait_until(lambda: sum(cpu_ticks(pid) for pid in pids) >= 120, "some use of processors")
        took = time.monotonic() - begin
        if "cores" in self.enforced:
            self.assertGreater(took, 3.6)
        self.kill(task)

    def test_memory_is_capped_or_the_record_says_that_it_is_not(self):
        if "memory" in self.enforced:
            task = self.cluster.submit("--memory", "48M", "--", "tail", "/dev/zero")
            record = self.cluster.ended(task)
            self.assertEqual(record["status"], "killed_oom", record)
            self.assertIn("memory", record["error_message"])
            self.assertEqual(self.cluster.client("--wait-for", task).returncode, 137)
        # Within the limit everything is well, and the limit is not another task's.
        task = self.cluster.submit("--memory", "256M", "--", "sh", "-c", "head -c 60000000 /dev/zero | tail | wc -c")
        self.assertEqual(self.cluster.ended(task)["status"], "completed")
        self.assertEqual(self.cluster.output(task), "60000000\n")
        shown = self.cluster.client("--status", task, check=0).stdout
        self.assertRegex(shown, "enforced: .*memory" if "memory" in self.enforced else "not enforced.*memory")

    def test_a_killed_child_is_not_taken_for_lack_of_memory(self):
        task = self.cluster.sh("sh -c 'kill -9 $$'; exit 137", options=["--memory", "64M"])
        record = self.cluster.ended(task)
        self.assertEqual((record["status"], record["exit_code"]), ("failed", 137), record)


class Control(Case):
    def test_what_resists_every_signal_is_killed_with_its_children(self):
        stubborn = "trap \"\" TERM INT HUP QUIT; while :; do sleep 1; done"
        task = self.cluster.sh(f"sh -c '{stubborn}' {self.mark} & sh -c '{stubborn}' {self.mark} & {stubborn}")
        self.wait_for_processes(2)
        self.kill(task)

    def daemon(self):
        """The command of a process that has left session, parent, group and, where that helps it, environment."""
        detached = "env -i sh" if CONTAINED else "sh"
        return (f"(setsid {detached} -c '(trap \"\" TERM HUP; while :; do sleep 1; done) &' {self.mark} "
                "</dev/null >/dev/null 2>&1 &); ")

    def test_a_daemon_dies_with_its_task(self):
        task = self.cluster.sh(self.daemon() + f"until test -e {self.mark}; do sleep 0.05; done; exit 5")
        self.wait_for_processes(1)
        self.gate.touch()
        self.assertEqual(self.cluster.ended(task)["exit_code"], 5)
        self.assertEqual(processes_with(self.mark), [])

    def test_a_daemon_is_killed_with_its_task(self):
        task = self.cluster.sh(self.daemon() + "sleep 1000")
        self.wait_for_processes(1)
        self.kill(task)

    def test_pause_stops_the_use_of_processors_and_resume_goes_on(self):
        task = self.cluster.sh(f"sh -c 'while :; do :; done' {self.mark} & setsid sh -c 'while :; do :; done' "
                               f"{self.mark} & wait", options=["--cores", "1"])
        pids = self.wait_for_processes(2)

        def ticks():
            return [cpu_ticks(pid) for pid in pids]

        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_until(lambda: all(ticks()), "some use of processors")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        before = ticks()
        time.sleep(1)  # in which nothing must happen
        self.assertEqual(ticks(), before)
        self.cluster.client("--resume", task, check=0)
        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_until(lambda: all(now > then for now, then in zip(ticks(), before)), "it goes on")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        self.kill(task)


class Survives(Case):
    def begin(self, then):
        """A task that waits for its gate."""
        task = self.cluster.sh(f"echo begun; sh -c 'until test -e $0; do sleep 0.05; done' {self.mark}; {then}")
        self.wait_for_processes(1)
        self.cluster.wait_for_status(task, "running")
        return task

    def restart_runner(self, number=signal.SIGKILL, keeper=False):
        self.cluster.runners["node1"].stop(number)
        if keeper:
            self.cluster.kill_keeper("node1")
        self.cluster.start_runner("node1")
        self.cluster.runners["node1"].wait_for_line("registered|connected|online")
        self.cluster.wait_for_nodes(["node1"])

    def test_a_runner_that_was_killed_adopts_its_tasks(self):
        tasks = {self.begin("echo ended; exit 7"): 7}
        self.restart_runner()
        for task in tasks:
            self.cluster.wait_for_status(task, "running")
        self.gate.touch()
        for task, code in tasks.items():
            self.assertEqual(self.cluster.ended(task)["exit_code"], code)
            self.assertEqual(self.cluster.output(task), "begun\nended\n")

    def test_an_end_while_the_runner_is_dead_is_told(self):
        task = self.begin("echo ended; exit 9")
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        self.gate.touch()
        self.wait_for_processes(0)
        self.cluster.start_runner("node1")
        record = self.cluster.ended(task)
        self.assertEqual((record["status"], record["exit_code"]), ("failed", 9), record)
        self.assertEqual(self.cluster.output(task), "begun\nended\n")

    def test_a_task_outlives_its_keeper_and_can_be_killed(self):
        task = self.begin("exit 8")
        self.restart_runner(keeper=True)
        self.cluster.wait_for_status(task, "running")
        self.wait_for_processes(1)
        self.kill(task)


class Many(Case):
    def test_all_at_once(self):
        tasks = [self.cluster.sh(f"until test -e {self.mark}; do sleep 0.2; done; echo $1; exit $(($1 % 7))", str(index),
                                 options=["--cores", "0"]) for index in range(MANY)]

        def running():
            listed = self.cluster.json("--list-tasks", "--state", "running", "--limit", "1000")["tasks"]
            return {task["task_id"] for task in listed} >= set(tasks)

        self.cluster.wait_until(running, f"{MANY} tasks run")
        self.gate.touch()
        for index, task in enumerate(tasks):
            self.assertEqual(self.cluster.ended(task)["exit_code"], index % 7)
        for index in range(0, MANY, 20):
            self.assertEqual(self.cluster.output(tasks[index]), f"{index}\n")


class Remains(unittest.TestCase):
    """Runs last."""

    def test_nothing_is_left(self):
        look = {"systemd": ["systemctl", "list-units", "--all", "--plain", "--no-legend", "hakuriver-task-*"],
                "docker": ["docker", "ps", "--all", "--quiet"]}.get(LAUNCHER)
        if look:
            def gone():
                return subprocess.run(look, env=Case.cluster.environment(), capture_output=True, text=True,
                                      check=True).stdout == ""

            Case.cluster.wait_until(gone, "no unit and no container remains")
        marker = next((Case.cluster.shared / ".hakuriver").iterdir())
        groups = list(pathlib.Path("/sys/fs/cgroup").rglob(f"hakuriver-{marker.name}"))
        Case.cluster.wait_until(lambda: not [path for group in groups for path in group.iterdir() if path.is_dir()],
                                "no cgroup of a task remains")


def load_tests(loader, _tests, _pattern):
    return unittest.TestSuite(loader.loadTestsFromTestCase(case)
                              for case in (Starts, Ends, Limits, Control, Survives, Many, Remains))


if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
