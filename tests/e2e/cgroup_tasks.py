"""Tasks in cgroups, with the real programs: what they may use, what is told of it: cgroup_tasks.py PROGRAMS

Where no cgroup can be made there is nothing to test and the runner's reason is said. With HAKURIVER_NO_SKIP in the
environment that is a failure.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from cluster import Cluster

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
MIB = 2**20


def reason_to_skip():
    """What the runner says; its host is nowhere."""
    with tempfile.TemporaryDirectory() as home:
        environment = {"PATH": os.environ["PATH"], "HOME": home, "HAKURIVER_HOME": home,
                       "HAKURIVER_RUNNER_LAUNCHER": "cgroup", "HAKURIVER_NETWORK_HOST_URL": "http://127.0.0.1:1"}
        with subprocess.Popen([PROGRAMS / "hakuriver.runner", "--name", "probe"], env=environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as runner:
            line = runner.stderr.readline()
            while line and "launcher 'cgroup'" not in line and "127.0.0.1:1" not in line:
                line = runner.stderr.readline()
            runner.terminate()
            runner.stderr.read()
        return line.strip() if "launcher 'cgroup'" in line else None


def lives(pid):
    """Nobody need reap a process whose parent was killed."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class CgroupCluster(Cluster):
    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER="cgroup", **more)

    def groups(self):
        """The directories of all cgroups of this cluster's node."""
        marker = next(pathlib.Path(self.shared / ".hakuriver").iterdir())
        return [path for path in pathlib.Path("/sys/fs/cgroup").rglob(f"hakuriver-{marker.name}")]

    def tasks_with_groups(self):
        return {path.name.split(".")[0] for group in self.groups() for path in group.iterdir() if path.is_dir()}


class Tasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = CgroupCluster(PROGRAMS, nodes=("node1",), cores=8, memory="1G")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def test_the_node_says_what_it_enforces(self):
        node = self.cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(node["launcher"], "cgroup")
        self.assertLessEqual({"cores", "memory"}, set(node["enforced"]))
        shown = self.cluster.client("--health", "node1", check=0).stdout
        self.assertRegex(shown, r"Launcher: +cgroup\n")
        self.assertRegex(shown, r"Enforces: +cores, memory")
        self.assertIn("cgroup", self.cluster.client("--list-nodes", check=0).stdout)

    def test_memory_is_capped_and_the_record_says_so(self):
        done = self.cluster.client("--wait", "--memory", "32M", "--", "tail", "/dev/zero")
        self.assertEqual(done.returncode, 137, done.stderr)
        task = self.cluster.json("--status", done.stdout.strip())
        self.assertEqual(task["status"], "killed_oom")
        self.assertIn("out of memory: the kernel killed 1 process at the limit of 33554432 bytes",
                      task["error_message"])
        self.assertEqual(task["launcher"], "cgroup")
        shown = self.cluster.client("--status", done.stdout.strip(), check=0).stdout
        self.assertRegex(shown, r"Limits: +enforced: cores, memory\n")
        self.assertIn("out of memory", shown)
        self.assertRegex(shown, r"Peak memory: +3[012]")
        # Signal 9 and code 137 by themselves say nothing of memory.
        task = self.cluster.submit("--memory", "32M", "--", "sh", "-c", "kill -9 $$")
        self.cluster.client("--wait-for", task, check=137)
        self.assertEqual(self.cluster.status(task)["status"], "failed")

    def test_cores_are_a_quota(self):
        task = self.cluster.submit("--cores", "0.2", "--", "sh", "-c", "sh -c 'while :; do :; done' & while :; do :; done")
        self.cluster.wait_for_status(task, "running")
        stats = [path for group in self.cluster.groups() for path in group.glob(f"{task}.1/cpu.stat")]
        self.assertTrue(stats)

        def throttled():
            lines = [line.split() for path in stats for line in path.read_text().splitlines()]
            return any(words[0] == "nr_throttled" and int(words[1]) >= 5 for words in lines)

        self.cluster.wait_until(throttled, "the quota throttles")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertNotIn(task, self.cluster.tasks_with_groups())

    def test_a_hidden_daemon_dies_with_its_task_when_runner_and_keeper_were_killed(self):
        hidden = self.cluster.home / "hidden"
        task = self.cluster.submit("--", "sh", "-c", "(setsid env -i sh -c 'trap \"\" TERM; echo $$ > "
                                   f"{hidden}; while :; do sleep 1; done' &); sleep 1000")
        self.cluster.wait_until(lambda: hidden.exists() and hidden.read_text().endswith("\n"), "the daemon")
        pid = int(hidden.read_text())
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        keeper = self.cluster.home / "runner-node1/state/runner-node1/lock"
        os.kill(int(keeper.read_text()), signal.SIGKILL)
        self.cluster.start_runner("node1")
        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_until(lambda: self.cluster.node_status("node1") == "online", "node1 is back")
        self.assertTrue(lives(pid))
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse(lives(pid))
        self.assertNotIn(task, self.cluster.tasks_with_groups())

    def test_many_at_once_leave_nothing(self):
        tasks = [self.cluster.submit("--cores", "0", "--", "sleep", "1000") for _ in range(40)]
        for task in tasks:
            self.cluster.client("--kill", task, check=0)
        for task in tasks:
            self.cluster.wait_for_status(task, "killed")
        self.assertFalse(set(tasks) & self.cluster.tasks_with_groups())


if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
