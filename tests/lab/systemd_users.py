"""Runners that are not root under a real systemd: systemd_users.py PROGRAMS

With packaging/sudoers.d/hakuriver they have units of the system's manager, and without it what is left to them.
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lab
from cluster import Cluster, Program
from node import LabNode

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
SUDOERS = pathlib.Path(sys.argv[2]).resolve()
INSTALLED = pathlib.Path("/etc/sudoers.d/hakuriver")
USER = "hakuriver"
CGROUPS = pathlib.Path("/sys/fs/cgroup")


class UsersCluster(Cluster):
    """Its runners are not root; the rest is."""

    def __init__(self, launcher):
        super().__init__(PROGRAMS, cores=8, memory="1G")
        self.launcher = launcher

    def start_runner(self, node):
        home = self.home / f"runner-{node}"
        for directory in (home / "state", home / "tmp"):
            directory.mkdir(parents=True, exist_ok=True)
        subprocess.run(["chown", "-R", USER, self.home], check=True)
        environment = self.environment(HAKURIVER_PATHS_STATE_DIR=str(home / "state"), USER=USER, LOGNAME=USER,
                                       HAKURIVER_PATHS_LOCAL_TEMP_DIR=str(home / "tmp"),
                                       HAKURIVER_RUNNER_LAUNCHER=self.launcher)
        words = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--",
                 self.programs / "hakuriver.runner", "--name", node]
        self.runners[node] = Program(words, environment, self._log(node), "/tmp")


class Sudo(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.copy(SUDOERS, INSTALLED)
        os.chown(INSTALLED, 0, 0)
        INSTALLED.chmod(0o440)
        cls.cluster = UsersCluster("auto")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def wait(self, *words, check=0):
        task = self.cluster.submit(*words)
        self.cluster.client("--wait-for", task, check=check)
        return self.cluster.status(task), self.cluster.client("--stdout", task, check=0).stdout

    def test_the_file_is_one_that_sudo_takes(self):
        subprocess.run(["visudo", "--check", "--quiet", "--file", SUDOERS], check=True)

    def test_the_node_limits(self):
        node = self.cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(node["launcher"], "systemd")
        self.assertLessEqual({"cores", "memory"}, set(node["enforced"]))
        self.assertTrue(node["private_network"] and node["private_pid"])

    def test_a_task_is_the_runners_user_in_a_limited_scope(self):
        task = self.cluster.submit("--cores", "1", "--memory", "100M", "--env", "SECRET=a b", "--", "sh", "-c",
                                   "id -un; id -Gn; echo \"$SECRET\"; pwd; sleep 1000")
        self.cluster.wait_for_status(task, "running")
        unit = f"hakuriver-task-{task}.scope"
        quota = {path.read_text().split()[0] for name in ("cpu.max", "cpu.cfs_quota_us")
                 for path in CGROUPS.rglob(f"{unit}/{name}")}
        memory = {path.read_text().strip() for name in ("memory.max", "memory.limit_in_bytes")
                  for path in CGROUPS.rglob(f"{unit}/{name}")}
        self.assertEqual((quota, memory), ({"100000"}, {"104857600"}))
        lines = [USER, USER, "a b", str(self.cluster.shared)]
        self.cluster.wait_until(lambda: self.cluster.client("--stdout", task, check=0).stdout.splitlines() == lines,
                                "its output")
        words = subprocess.run(["ps", "-ww", "-e", "-o", "args"], capture_output=True, text=True, check=True).stdout
        self.assertNotIn("a b\n", words)
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse([path for path in CGROUPS.rglob(f"{unit}/cgroup.procs") if path.read_text()])

    def test_the_line_of_a_dry_run_does_what_it_says(self):
        as_user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--"]
        shown = subprocess.run([*as_user, PROGRAMS / "hakuriver.runner", "--dry-run", "--launcher", "systemd",
                                "--memory", "100M", "--", "sh", "-c", "id -un; cat /proc/self/cgroup"],
                               env=self.cluster.environment(), capture_output=True, text=True, check=True).stdout
        self.assertTrue(shown.startswith("sudo -n systemd-run --scope "), shown)
        output = subprocess.run([*as_user, "sh", "-c", shown], env=self.cluster.environment(), capture_output=True,
                                text=True, check=True).stdout
        self.assertTrue(output.startswith(f"{USER}\n"), output)
        self.assertIn("/hakuriver-task-0.scope\n", output)

    def test_it_does_not_outlive_the_process_that_stands_for_it(self):
        for options, suffix in (((), "scope"), (("--private-pid",), "service")):
            task = self.cluster.submit(*options, "--", "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
            self.cluster.wait_until(lambda: self.cluster.client("--stdout", task, check=0).stdout, "its trap")
            unit = f"hakuriver-task-{task}.{suffix}"
            client = subprocess.run(["pgrep", "-o", "-f", f"/hakuriver-systemd .*--unit {unit} .* run "],
                                    capture_output=True, text=True, check=True).stdout
            os.kill(int(client), signal.SIGKILL)
            self.assertEqual(self.cluster.client("--wait-for", task).returncode, 137)
            self.assertFalse([path for path in CGROUPS.rglob(f"{unit}/cgroup.procs") if path.read_text()])

    def test_how_it_ends(self):
        self.assertEqual(self.wait("--", "true")[0]["status"], "completed")
        self.wait("--", "sh", "-c", "exit 7", check=7)
        self.wait("--", "sh", "-c", "kill -TERM $$", check=143)
        self.assertIn("not found", self.wait("--", "not-there", check=127)[0]["error_message"])
        self.wait("--", "/etc", check=126)
        record, _ = self.wait("--memory", "50M", "--", "tail", "/dev/zero", check=137)
        self.assertEqual(record["status"], "killed_oom", record)

    def test_isolation(self):
        record, output = self.wait("--private-network", "--private-pid", "--", "sh", "-c",
                                   "tail -n +3 /proc/net/dev | cut -d: -f1; ps -e -o pid= | head -1; id -un; exit 5",
                                   check=5)
        self.assertEqual(output.split(), ["lo", "1", USER], record)

    def test_pause_and_resume(self):
        task = self.cluster.submit("--", "sleep", "1000")
        self.cluster.wait_for_status(task, "running")
        for verb, status in (("--pause", "paused"), ("--resume", "running"), ("--kill", "killed")):
            self.cluster.client(verb, task, check=0)
            self.cluster.wait_for_status(task, status)

    def test_what_was_paused_goes_on_only_when_told_and_ends_as_itself(self):
        gate = self.cluster.shared / "gate"
        task = self.cluster.submit("--", "sh", "-c", f"echo $$; until test -e {gate}; do sleep 0.05; done; exit 5")
        self.cluster.wait_until(lambda: self.cluster.client("--stdout", task, check=0).stdout, "its number")
        stat = pathlib.Path("/proc") / self.cluster.client("--stdout", task, check=0).stdout.strip() / "stat"
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        gate.touch()
        for _ in range(20):  # nobody tells that nothing happens
            time.sleep(0.05)
            self.assertTrue(stat.exists(), "it has gone on")
        self.cluster.client("--resume", task, check=0)
        self.cluster.wait_for_status(task, "failed")
        self.assertEqual(self.cluster.status(task)["exit_code"], 5)


class OwnManager(unittest.TestCase):
    """Without sudo the manager of the user itself starts units; what it may limit is up to the system."""

    def test_units_of_the_users_own_manager(self):
        INSTALLED.unlink(missing_ok=True)
        subprocess.run(["systemctl", "start", f"user@{pwd.getpwnam(USER).pw_uid}.service"], check=True)
        cluster = UsersCluster("systemd")
        self.addCleanup(cluster.close)
        cluster.start()
        node = cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(node["launcher"], "systemd")
        task = cluster.submit("--memory", "100M", "--", "sh", "-c", "cat /proc/self/cgroup; sleep 1000")
        cluster.wait_for_status(task, "running")
        unit = f"hakuriver-task-{task}.scope"
        cluster.wait_until(lambda: unit in cluster.client("--stdout", task, check=0).stdout, "its unit")
        limited = [path for path in CGROUPS.rglob(f"{unit}/memory.*")
                   if path.name in ("memory.max", "memory.limit_in_bytes") and path.read_text().strip() == "104857600"]
        self.assertEqual("memory" in node["enforced"], bool(limited))
        cluster.client("--kill", task, check=0)
        cluster.wait_for_status(task, "killed")
        self.assertFalse([path for path in CGROUPS.rglob(f"{unit}/cgroup.procs") if path.read_text()])
        # A manager that may not make a network goes on without it, and then there must be no such task.
        words = ["--private-network", "--", "sh", "-c", "tail -n +3 /proc/net/dev | cut -d: -f1"]
        if node["private_network"]:
            task = cluster.submit(*words)
            cluster.client("--wait-for", task, check=0)
            self.assertEqual(cluster.client("--stdout", task, check=0).stdout.split(), ["lo"])
        else:
            self.assertIn("no private network", cluster.client(*words, check=1).stderr)


class Half(unittest.TestCase):
    def test_one_who_may_start_units_and_not_end_them_has_none(self):
        INSTALLED.unlink(missing_ok=True)
        INSTALLED.write_text(f"{USER} ALL=(root) NOPASSWD: /usr/bin/systemd-run --scope --collect "
                             "--unit=hakuriver-task-*, /usr/bin/systemd-run --unit=hakuriver-task-*\n")
        subprocess.run(["visudo", "--check", "--quiet", "--file", INSTALLED], check=True)
        INSTALLED.chmod(0o440)
        self.addCleanup(INSTALLED.unlink)
        subprocess.run(["systemctl", "stop", f"user@{pwd.getpwnam(USER).pw_uid}.service"], check=True)
        cluster = UsersCluster("auto")
        self.addCleanup(cluster.close)
        cluster.start()
        self.assertNotEqual(cluster.json("--list-nodes")["nodes"][0]["launcher"], "systemd")
        self.assertIn("through sudo: a unit was started, and hakuriver-systemd could not end it",
                      cluster.runners["node1"].log.read_text())
        cluster.client("--wait", "--", "true", check=0)


class Without(unittest.TestCase):
    def test_without_root_and_sudo_the_runner_starts_and_says_what_it_has(self):
        INSTALLED.unlink(missing_ok=True)
        cluster = UsersCluster("auto")
        self.addCleanup(cluster.close)
        cluster.start()
        node = cluster.json("--list-nodes")["nodes"][0]
        log = cluster.runners["node1"].log.read_text()
        self.assertIn(f"launcher {node['launcher']}: ", log)
        if node["launcher"] == "plain":
            self.assertIn("not systemd: ", log)
        cluster.client("--wait", "--", "true", check=0)


if __name__ == "__main__":
    if sys.argv[3:] == ["inside"]:
        try:
            pwd.getpwnam(USER)
        except KeyError:
            subprocess.run(["useradd", "--create-home", USER], check=True)
        unittest.main(argv=sys.argv[:1], verbosity=2)
    lab.enter(("systemd-nspawn", "unshare", "nsenter", "ip", "sudo", "visudo"))
    with LabNode("users", programs=PROGRAMS, binds=[PROGRAMS.parent / "libexec", SUDOERS.parent],
                 logind=True) as NODE:
        STATUS = NODE.popen(["python3", pathlib.Path(__file__).resolve(), PROGRAMS, SUDOERS, "inside"]).wait()
    sys.exit(STATUS)
