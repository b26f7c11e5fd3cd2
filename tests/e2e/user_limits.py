"""Time limits, niceness and users of tasks, with the real programs: user_limits.py PROGRAMS

Only root can run tasks as others: elsewhere those tests are left out and say so. With HAKURIVER_NO_SKIP in the
environment that is a failure.
"""

import csv
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import unittest

from cluster import Cluster

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
IS_ROOT = os.geteuid() == 0
# Users of every Debian that nobody else's tests use; with homes that need not exist.
ALICE, BOB = "games", "daemon"
# Ignores TERM, and so does a daemon of its own; the ids of both are in the file that it is given.
STUBBORN = """trap '' TERM
setsid sh -c 'trap "" TERM; echo $$ >> "$0"; while :; do sleep 1; done' "$1" &
echo $$ >> "$1"
while :; do sleep 1; done"""


def lives(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class OpenCluster(Cluster):
    """One whose shared directory other users can enter."""

    def __init__(self, **more):
        super().__init__(PROGRAMS, nodes=("node1",), **more)
        self.home.chmod(0o711)
        self.runner_settings = {}

    def start_runner(self, node):
        self.shared.chmod(0o777)
        super().start_runner(node)

    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER="plain", **self.runner_settings, **more)

    def ended(self, *words, check=0):
        """The record and the output of a task that has ended."""
        done = self.client("--wait", *words, check=check)
        task = done.stdout.split()[0]
        return self.status(task), self.client("--stdout", task, check=0).stdout

    def pids(self, file):
        self.wait_until(lambda: file.exists() and len(file.read_text().split()) == 2, "two processes")
        return [int(word) for word in file.read_text().split()]


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = OpenCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def stubborn(self, name, *words):
        file = self.cluster.shared / name
        return file, self.cluster.submit(*words, "--", "sh", "-c", STUBBORN, "sh", str(file))

    def check_timed_out(self, task, text):
        record = self.cluster.status(task)
        self.assertEqual((record["status"], record["exit_code"], record["timed_out"]), ("failed", 124, True))
        self.assertEqual(record["outcome"]["kind"], "timed_out")
        self.assertEqual(record["error_message"], f"the time limit of {text} was reached")

    def test_a_stubborn_tree_is_gone_at_its_limit(self):
        file, task = self.stubborn("limit", "--time", "2s")
        pids = self.cluster.pids(file)
        waited = self.cluster.client("--wait-for", task, check=124)
        self.assertIn("the time limit of 2s was reached", waited.stderr)
        self.assertFalse([pid for pid in pids if lives(pid)])
        self.check_timed_out(task, "2s")
        shown = self.cluster.client("--status", task, check=0).stdout
        self.assertRegex(shown, r"State: +failed: the time limit of 2s was reached\n")
        self.assertRegex(shown, r"Time limit: +2s\n")
        self.assertIn("failed time limit", self.cluster.client("--list-tasks", check=0).stdout)

    def test_the_limit_holds_while_no_runner_lives(self):
        file, task = self.stubborn("no-runner", "--time", "3")
        pids = self.cluster.pids(file)
        self.cluster.wait_for_status(task, "running")
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        self.cluster.wait_until(lambda: not any(lives(pid) for pid in pids), "the end of the tree")
        self.cluster.start_runner("node1")
        self.cluster.client("--wait-for", task, check=124)
        self.check_timed_out(task, "3s")

    def test_what_ends_before_its_limit_ends_as_without(self):
        record, out = self.cluster.ended("--time", "1h", "--", "sh", "-c", "echo done; exit 3", check=3)
        self.assertEqual((out, record["exit_code"], record["timed_out"], record["time_limit"]), ("done\n", 3, False, 3600))
        task = self.cluster.submit("--time", "1h", "--", "sleep", "1000")
        self.cluster.wait_for_status(task, "running")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse(self.cluster.status(task)["timed_out"])

    def test_niceness_is_added_and_no_task_dumps_core(self):
        record, out = self.cluster.ended("--nice", "7", "--", "sh", "-c", "nice; ulimit -c")
        # The keeper may itself be nice.
        own = int(self.cluster.ended("--", "nice")[1])
        self.assertEqual((out.split(), record["nice"]), ([str(min(own + 7, 19)), "0"], 7))

    def test_a_run_of_hakurun_has_the_same_limits_there_as_here(self):
        rows = {}
        for place, words in (("here", ()), ("there", ("--to", "cluster", "--cores", "0"))):
            joblog = self.cluster.home / place
            done = subprocess.run([PROGRAMS / "hakurun", *words, "--timeout", "2s", "--nice", "3", "--joblog", joblog,
                                   "sh", "-c", 'echo "niceness $(nice)"; exec sleep "$1"', "sh", "span:[0,100]"],
                                  env=self.cluster.environment(), cwd=self.cluster.home, stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=120, check=False)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("timed out", done.stderr)
            with open(joblog, newline="") as file:
                table = list(csv.DictReader(file, delimiter="\t"))
            rows[place] = sorted((row["Seq"], row["Exitval"], row["Signal"]) for row in table)
            rows[place].append(done.stdout.split())
        self.assertEqual(rows["there"], rows["here"])

    def test_slips_are_one_line(self):
        before = len(self.cluster.json("--list-tasks", "--limit", "1000")["tasks"])
        for words, line in ((("--time", "soon"), "--time: 'soon' is not a duration"), (("--nice", "20"), "--nice: '20'"),
                            (("--user", "a b"), "--user: 'a b' is not a user's name")):
            done = self.cluster.client(*words, "--", "true", check=2)
            self.assertIn(line, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)
        self.assertEqual(len(self.cluster.json("--list-tasks", "--limit", "1000")["tasks"]), before)

    def test_an_ordinary_runner_offers_its_own_user_only(self):
        me = pwd.getpwuid(os.geteuid()).pw_name
        self.assertEqual(self.cluster.ended("--user", me, "--", "id", "-un")[1], me + "\n")
        refused = self.cluster.client("--target", "node1", "--user", "root", "--", "true")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("the node runs no tasks as user 'root'", refused.stderr)


@unittest.skipUnless(IS_ROOT, "only root can run tasks as others")
class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = OpenCluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def test_a_task_is_its_user(self):
        user = pwd.getpwnam(ALICE)
        script = 'id -u; id -g; id -G; echo "$HOME $USER $LOGNAME $SHELL"; pwd; ls /proc/self/fd | wc -l; umask'
        record, out = self.cluster.ended("--user", ALICE, "--", "sh", "-c", script)
        uid, gid, groups, names, place, descriptors, umask = out.splitlines()
        self.assertEqual((uid, gid), (str(user.pw_uid), str(user.pw_gid)))
        self.assertEqual({int(group) for group in groups.split()}, set(os.getgrouplist(ALICE, user.pw_gid)))
        self.assertEqual(names, f"{user.pw_dir} {ALICE} {ALICE} {user.pw_shell}")
        self.assertEqual((place, descriptors, umask), (str(self.cluster.shared), "4", "0022"))
        self.assertEqual(record["user"], ALICE)
        for stream in ("stdout_path", "stderr_path"):
            self.assertEqual(os.stat(record[stream]).st_uid, user.pw_uid)
        self.assertRegex(self.cluster.client("--status", record["task_id"], check=0).stdout, rf"User: +{ALICE}\n")

    def test_there_is_no_way_back_to_root(self):
        setuid = self.cluster.shared / "setuid-id"
        shutil.copy("/usr/bin/id", setuid)
        os.chown(setuid, 0, 0)
        setuid.chmod(0o4755)
        user = pwd.getpwnam(ALICE)
        as_user = subprocess.run([setuid, "-u"], user=user.pw_uid, group=user.pw_gid, extra_groups=[],
                                 capture_output=True, text=True, check=True).stdout
        _, out = self.cluster.ended("--user", ALICE, "--", "sh", "-c", f"{setuid} -u; grep NoNewPrivs /proc/self/status")
        self.assertEqual(out.split(), [str(user.pw_uid), "NoNewPrivs:", "1"])
        if as_user.strip() != "0":
            self.skipTest("no setuid program works in the temporary directory: it cannot be seen to be stopped")

    def test_a_limit_and_a_kill_reach_what_another_user_runs(self):
        file = self.cluster.shared / "of-alice"
        task = self.cluster.submit("--user", ALICE, "--time", "2s", "--", "sh", "-c", STUBBORN, "sh", str(file))
        pids = self.cluster.pids(file)
        self.cluster.client("--wait-for", task, check=124)
        self.assertFalse([pid for pid in pids if lives(pid)])
        file.unlink()
        task = self.cluster.submit("--user", ALICE, "--", "sh", "-c", STUBBORN, "sh", str(file))
        pids = self.cluster.pids(file)
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse([pid for pid in pids if lives(pid)])

    def test_a_user_that_the_node_does_not_know_is_named(self):
        record, _ = self.cluster.ended("--user", "no-such-user-here", "--", "true", check=126)
        self.assertEqual(record["status"], "failed")
        self.assertIn("there is no user 'no-such-user-here' on this machine", record["error_message"])

    def test_a_place_that_the_user_cannot_enter_fails_the_task(self):
        secret = self.cluster.home / "secret"
        secret.mkdir(mode=0o700)
        done = self.cluster.client("--wait", "--user", ALICE, "--cwd", str(secret), "--", "true")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(secret), self.cluster.status(done.stdout.split()[0])["error_message"])


@unittest.skipUnless(IS_ROOT, "only root can run tasks as others")
class ChosenUsers(unittest.TestCase):
    """A runner whose configuration says whom its tasks run as, and as whom they may."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = OpenCluster()
        cls.cluster.runner_settings = {"HAKURIVER_ENVIRONMENT_RUNNER_USER": ALICE,
                                       "HAKURIVER_ENVIRONMENT_ALLOWED_USERS": BOB}
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def test_tasks_run_as_the_runner_user_or_as_one_that_is_allowed(self):
        self.assertEqual(self.cluster.ended("--", "id", "-un")[1], ALICE + "\n")
        self.assertEqual(self.cluster.ended("--user", BOB, "--", "id", "-un")[1], BOB + "\n")
        node = self.cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(sorted(node["users"]), sorted([ALICE, BOB]))
        self.assertRegex(self.cluster.client("--health", "node1", check=0).stdout, rf"Users: +{ALICE}, {BOB}\n")

    def test_nobody_else_is_offered(self):
        for target in ((), ("--target", "node1")):
            for user in ("root", "nobody"):
                refused = self.cluster.client(*target, "--user", user, "--", "true")
                self.assertNotEqual(refused.returncode, 0)
                self.assertEqual(refused.stdout, "")
                self.assertIn(f"the node runs no tasks as user '{user}'", refused.stderr)

    def test_a_runner_user_who_is_nobody_is_refused_at_the_start(self):
        environment = self.cluster.environment(HAKURIVER_PATHS_STATE_DIR=str(self.cluster.home / "other"))
        environment["HAKURIVER_ENVIRONMENT_RUNNER_USER"] = "no-such-user-here"
        refused = subprocess.run([PROGRAMS / "hakuriver.runner", "--name", "other"], env=environment, timeout=60,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.assertEqual((refused.returncode, refused.stderr.count("\n")), (2, 1))
        self.assertIn("runner_user 'no-such-user-here': there is no user", refused.stderr)


if IS_ROOT:
    del Limits.test_an_ordinary_runner_offers_its_own_user_only

if __name__ == "__main__":
    if not IS_ROOT:
        print("skipped in part: only root can run tasks as others")
        if "HAKURIVER_NO_SKIP" in os.environ:
            sys.exit(1)
    unittest.main(argv=sys.argv[:1], verbosity=2)
