"""Tasks as units of a real systemd, by a runner that is root: systemd_tasks.py PROGRAMS

What every launcher promises is in contract.py; this is what only units have.
"""

import os
import pathlib
import pwd
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lab
from cluster import Cluster
from node import LabNode

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class SystemdCluster(Cluster):
    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER="systemd", **self.settings, **more)


def units():
    listed = subprocess.run(["systemctl", "list-units", "--all", "--no-legend", "--plain", "hakuriver-task-*"],
                            capture_output=True, text=True, check=True).stdout
    return {line.split()[0]: line.split()[2] for line in listed.splitlines()}


def shown(unit, *names):
    text = subprocess.run(["systemctl", "show", unit, f"--property={','.join(names)}"], capture_output=True, text=True,
                          check=True).stdout
    return dict(line.split("=", 1) for line in text.splitlines())


def in_cgroup(unit, name):
    """What the files of that name in the unit's cgroups say."""
    return {path.read_text().split()[0] for path in CGROUPS.rglob(f"{unit}/{name}")}


def client_of(unit):
    """The process that stands for a unit."""
    words = f"/hakuriver-systemd .*--unit {unit} .* run "
    return int(subprocess.run(["pgrep", "-o", "-f", words], capture_output=True, text=True, check=True).stdout)


def lives(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes(unit):
    """The ids of all processes of a unit."""
    return {int(pid) for path in CGROUPS.rglob(f"{unit}/cgroup.procs") for pid in path.read_text().split()}


def environment_of(pid):
    return pathlib.Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")


def ticks(unit):
    """The processor time of all processes of a unit."""
    total = 0
    for pid in processes(unit):
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(words[11]) + int(words[12])
    return total


class Case(unittest.TestCase):
    SETTINGS = {}  # of the environment

    @classmethod
    def setUpClass(cls):
        cls.cluster = SystemdCluster(PROGRAMS, cores=8, memory="1G")
        cls.cluster.settings = cls.SETTINGS
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.home.chmod(0o755)  # tasks of other users go in
        cls.cluster.start()

    def running(self, *words):
        task = self.cluster.submit(*words)
        self.cluster.wait_for_status(task, "running")
        return task

    def wait(self, *words, check=0):
        """The record of a task that has ended, and its output."""
        task = self.cluster.submit(*words)
        self.cluster.client("--wait-for", task, check=check)
        return self.cluster.status(task), self.cluster.client("--stdout", task, check=0).stdout

    def run_shown(self, *words):
        """What the lines of a dry run write, by hand."""
        lines = self.cluster.dry_run(*words)
        return subprocess.run(["sh", "-e", "-c", "\n".join(lines)], env=self.cluster.environment(), capture_output=True,
                              text=True, check=True).stdout

    def gone(self, task):
        self.cluster.wait_until(lambda: not [unit for unit in units() if task in unit], f"no unit of {task}")


class Scopes(Case):
    def test_the_node_says_what_it_enforces(self):
        node = self.cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(node["launcher"], "systemd")
        self.assertLessEqual({"cores", "memory"}, set(node["enforced"]))
        self.assertTrue(node["private_network"])
        self.assertTrue(node["private_pid"])

    def test_a_task_is_a_scope_while_it_runs_and_gone_afterwards(self):
        task = self.running("--cores", "2", "--memory", "100M", "--", "sh", "-c", "cat /proc/self/cgroup; sleep 1000")
        unit = f"hakuriver-task-{task}.scope"
        self.assertEqual(units().get(unit), "active")
        properties = shown(unit, "CPUQuotaPerSecUSec", "MemoryMax", "Description")
        self.assertEqual(properties["CPUQuotaPerSecUSec"], "2s")
        self.assertEqual(properties["MemoryMax"], "104857600")
        self.assertIn(f"task {task}: sh -c", properties["Description"])
        self.assertEqual(in_cgroup(unit, "memory.max") | in_cgroup(unit, "memory.limit_in_bytes"), {"104857600"})
        self.assertTrue(in_cgroup(unit, "cpu.max") | in_cgroup(unit, "cpu.cfs_quota_us") <= {"200000"})
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.gone(task)

    def test_memory_that_runs_out_is_told(self):
        for _ in range(10):
            record, _ = self.wait("--memory", "50M", "--", "tail", "/dev/zero", check=137)
            self.assertEqual(record["status"], "killed_oom", record)

    def test_environment_and_statuses(self):
        record, output = self.wait("--env", "LD_X=a b", "--env", "@odd=1", "--", "sh", "-c",
                                   'echo "$LD_X|$HAKURIVER_TASK_ID"; env | grep -c "^@[^o]"; exit 7', check=7)
        self.assertEqual(output, f"a b|{record['task_id']}\n0\n")
        self.assertEqual(self.wait("--", "nothing-of-that-name", check=127)[0]["status"], "failed")
        self.assertIn("not found", self.wait("--", "nothing-of-that-name", check=127)[0]["error_message"])
        self.assertIn("cannot be executed", self.wait("--", "/etc", check=126)[0]["error_message"])
        self.wait("--", "sh", "-c", "kill -TERM $$", check=143)

    def test_a_hidden_daemon_dies_with_a_task_that_was_adopted(self):
        hidden = self.cluster.home / "hidden"
        task = self.running("--", "sh", "-c", f"(setsid env -i sh -c 'trap \"\" TERM; echo $$ > {hidden}; "
                            "while :; do sleep 1; done' &); sleep 1000")
        self.cluster.wait_until(lambda: hidden.exists() and hidden.read_text().endswith("\n"), "the daemon")
        pid = int(hidden.read_text())
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        self.cluster.start_runner("node1")
        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_for_nodes(["node1"])
        self.assertTrue(lives(pid))
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse(lives(pid))
        self.gone(task)

    def test_what_is_paused_uses_nothing(self):
        task = self.running("--", "sh", "-c", "while :; do :; done & while :; do :; done")
        self.rests_while_paused(task, f"hakuriver-task-{task}.scope")

    def rests_while_paused(self, task, unit):
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        before = ticks(unit)
        time.sleep(0.5)
        self.assertLessEqual(ticks(unit) - before, 1)
        self.cluster.client("--resume", task, check=0)
        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_until(lambda: ticks(unit) > before + 5, "it goes on")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.gone(task)

    def test_the_line_of_a_dry_run_does_what_it_says(self):
        text = "ulimit -c; for file in $(find /sys/fs/cgroup -path '*/hakuriver-task-0.scope/*' " \
               "-name memory.max -o -path '*/hakuriver-task-0.scope/*' -name memory.limit_in_bytes); do cat $file; done"
        output = self.run_shown("--cores", "2", "--memory", "64M", "--", "sh", "-c", text).split()
        self.assertIn("67108864", output)
        self.gone("task-0")


class Services(Case):
    OPTIONS = ("--private-network", "--private-pid")

    def test_a_private_world_seen_from_inside(self):
        text = ("tail -n +3 /proc/net/dev | cut -d: -f1; ls -d /proc/[0-9]* | wc -l; ps -e -o comm= | grep -c systemd; "
                "cat /proc/net/fib_trie | grep -c 127.0.0.1; pwd; echo \"$HAKURIVER_NODE\"; echo err >&2; exit 4")
        record, output = self.wait(*self.OPTIONS, "--", "sh", "-c", text, check=4)
        lines = output.split()
        self.assertEqual(lines[0], "lo")
        self.assertLessEqual(int(lines[1]), 5)
        self.assertEqual(lines[2], "0")
        self.assertGreater(int(lines[3]), 0)
        self.assertEqual(lines[4:], [str(self.cluster.shared), "node1"])
        self.assertEqual(self.cluster.client("--stderr", str(record["task_id"]), check=0).stdout, "err\n")
        self.gone(str(record["task_id"]))

    def test_each_alone(self):
        _, output = self.wait("--private-network", "--", "sh", "-c", "tail -n +3 /proc/net/dev | wc -l; ps -e | wc -l")
        devices, processes = map(int, output.split())
        self.assertEqual(devices, 1)
        self.assertGreater(processes, 6)
        _, output = self.wait("--private-pid", "--", "sh", "-c", "ps -e -o pid= | head -1")
        self.assertEqual(output.split(), ["1"])

    def test_its_limits_and_statuses(self):
        task = self.running(*self.OPTIONS, "--cores", "1.5", "--memory", "64M", "--", "sleep", "1000")
        unit = f"hakuriver-task-{task}.service"
        self.assertEqual(in_cgroup(unit, "memory.max") | in_cgroup(unit, "memory.limit_in_bytes"), {"67108864"})
        self.assertEqual(shown(unit, "CPUQuotaPerSecUSec")["CPUQuotaPerSecUSec"], "1.500000s")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.gone(task)
        self.assertEqual(self.wait(*self.OPTIONS, "--", "true")[0]["status"], "completed")
        self.assertIn("not found", self.wait(*self.OPTIONS, "--", "not-there", check=127)[0]["error_message"])
        self.wait(*self.OPTIONS, "--", "/etc", check=126)
        self.wait(*self.OPTIONS, "--", "sh", "-c", "kill -SEGV $$", check=139)
        record, _ = self.wait(*self.OPTIONS, "--memory", "50M", "--", "tail", "/dev/zero", check=137)
        self.assertEqual(record["status"], "killed_oom", record)

    def test_the_manager_opens_no_file_of_a_task(self):
        task = self.running(*self.OPTIONS, "--", "sleep", "1000")
        kept = shown(f"hakuriver-task-{task}.service", "StandardOutput", "StandardError")
        self.assertEqual(kept, {"StandardOutput": "null", "StandardError": "null"})
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")

    def test_the_line_of_a_dry_run_does_what_it_says(self):
        place = self.cluster.home / "of-nobody"
        place.mkdir()
        place.chmod(0o777)
        text = "printf '%s ' $(id -u) $(tail -n +3 /proc/net/dev | wc -l) $(ps -e -o pid= | head -1) $HOME >$0"
        self.run_shown("--user", "nobody", *self.OPTIONS, "--", "sh", "-c", text, str(place / "seen"))
        unit = "hakuriver-task-0.service"
        self.addCleanup(subprocess.run, ["systemctl", "stop", unit], check=True)
        self.cluster.wait_until(lambda: shown(unit, "SubState")["SubState"] == "exited", "its end")
        self.assertEqual((place / "seen").read_text().split()[:3], [str(pwd.getpwnam("nobody").pw_uid), "1", "1"])

    def test_words_stay_words(self):
        _, output = self.wait("--private-network", "--", "printf", "%s|", "$HOME", "${PATH}", "$$", "100%", "a b", "%n")
        self.assertEqual(output, "$HOME|${PATH}|$$|100%|a b|%n|")

    def test_a_tree_that_resists_dies(self):
        before = set(self.pids_of("sleep"))
        task = self.running(*self.OPTIONS, "--", "sh", "-c", "trap '' TERM; (setsid env -i sh -c 'trap \"\" TERM; "
                            "while :; do sleep 1001; done' &); while :; do sleep 1002; done")
        self.cluster.wait_until(lambda: len(set(self.pids_of("sleep")) - before) >= 2, "both")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse(set(self.pids_of("sleep")) - before)
        self.gone(task)

    @staticmethod
    def pids_of(name):
        return subprocess.run(["pgrep", "-x", name], capture_output=True, text=True, check=False).stdout.split()

    def test_it_is_adopted_and_its_status_is_right(self):
        go = self.cluster.shared / "go"
        task = self.running(*self.OPTIONS, "--", "sh", "-c", f"while ! [ -e {go} ]; do sleep 0.05; done; exit 9")
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        keeper = self.cluster.home / "runner-node1/state/runner-node1/lock"
        os.kill(int(keeper.read_text()), signal.SIGKILL)
        go.touch()
        self.cluster.start_runner("node1")
        self.cluster.client("--wait-for", task, check=9)
        self.gone(task)

    def test_it_does_not_outlive_the_process_that_stands_for_it(self):
        for text, paused, code in (("sleep 1000", False, 143), ("trap '' TERM; while :; do sleep 1; done", True, 137)):
            task = self.running(*self.OPTIONS, "--", "sh", "-c", f"echo ready; {text}")
            self.cluster.wait_until(lambda: self.cluster.client("--stdout", task, check=0).stdout, "its trap")
            if paused:
                self.cluster.client("--pause", task, check=0)
                self.cluster.wait_for_status(task, "paused")
            unit = f"hakuriver-task-{task}.service"
            inside = processes(unit)
            os.kill(client_of(unit), signal.SIGKILL)
            self.cluster.client("--wait-for", task, check=code)
            self.assertIn("the process that stood for it", self.cluster.status(task)["error_message"])
            self.assertFalse([pid for pid in inside if lives(pid)])
            self.gone(task)

    def test_a_unit_that_was_taken_away_says_how_it_ended(self):
        task = self.running(*self.OPTIONS, "--", "sleep", "1000")
        subprocess.run(["systemctl", "stop", f"hakuriver-task-{task}.service"], check=True)
        self.cluster.client("--wait-for", task, check=143)
        self.gone(task)

    def test_what_is_paused_uses_nothing(self):
        task = self.running(*self.OPTIONS, "--", "sh", "-c", "while :; do :; done")
        Scopes.rests_while_paused(self, task, f"hakuriver-task-{task}.service")

    def test_another_user(self):
        record, output = self.wait("--user", "nobody", "--", "sh", "-c", "id -un; echo $HOME")
        self.assertEqual(output.split()[0], "nobody")
        path = self.cluster.shared / "task_outputs" / f"{record['task_id']}.out"
        self.assertEqual(path.owner(), "nobody")


class ScopesOfAUser(Case):
    SETTINGS = {"HAKURIVER_ENVIRONMENT_RUNNER_USER": "nobody"}

    def test_no_program_of_root_has_the_environment_of_a_task(self):
        for options in ((), ("--memory", "64M"), ("--private-pid",)):
            task = self.running(*options, "--env", "MARK=of the task", "--", "sh", "-c", "echo $MARK; sleep 1000")
            self.cluster.wait_until(lambda: self.cluster.client("--stdout", task, check=0).stdout == "of the task\n",
                                    "its environment")
            unit = f"hakuriver-task-{task}." + ("service" if "--private-pid" in options else "scope")
            having = {}
            for pid in processes(unit):
                user = pathlib.Path(f"/proc/{pid}").owner()
                having.setdefault(user, set()).add("MARK=of the task" in environment_of(pid))
            self.assertEqual(having.pop("nobody"), {True}, options)
            self.assertEqual(having, {"root": {False}} if options else {})
            self.cluster.client("--kill", task, check=0)
            self.cluster.wait_for_status(task, "killed")

    def test_nobody_enters_a_directory_for_the_user(self):
        secret = self.cluster.home / "secret"
        secret.mkdir(mode=0o700)
        for options in ((), ("--private-pid",)):
            record, _ = self.wait(*options, "--cwd", secret, "--", "pwd", check=126)
            self.assertIn(f"working directory '{secret}': Permission denied", record["error_message"])
            _, output = self.wait(*options, "--cwd", "/usr", "--", "sh", "-c", "pwd; id -un")
            self.assertEqual(output, "/usr\nnobody\n")


if __name__ == "__main__":
    if sys.argv[2:] == ["inside"]:
        unittest.main(argv=sys.argv[:1], verbosity=2)
    lab.enter()
    with LabNode("systemd", programs=PROGRAMS, binds=[PROGRAMS.parent / "libexec"]) as NODE:
        STATUS = NODE.popen(["python3", pathlib.Path(__file__).resolve(), PROGRAMS, "inside"]).wait()
    sys.exit(STATUS)
