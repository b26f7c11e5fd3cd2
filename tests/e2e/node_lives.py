"""What becomes of tasks when their node, their host or its database goes away: node_lives.py PROGRAMS"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from cluster import Cluster, PATIENCE

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
STRANGER = 12345  # a user id that owns nothing here


class AttentiveCluster(Cluster):
    """Notices within a few seconds that a node is silent."""

    def write_config(self):
        super().write_config()
        with open(self.home / "config.toml", "a") as file:
            file.write("heartbeat_interval = 0.5\nheartbeat_timeout_factor = 6\n")


def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


class Lives(unittest.TestCase):
    def setUp(self):
        self.cluster = AttentiveCluster(PROGRAMS, nodes=("node1",))
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def begin_task(self):
        """A task that waits for a file, and the id of its process."""
        gate, mark = self.cluster.home / "gate", self.cluster.home / "mark"
        task = self.cluster.submit("--target", "node1", "--", "sh", "-c",
                                   f"echo $$ >{mark}.new; mv {mark}.new {mark}; until test -e {gate}; do sleep 0.05; "
                                   "done; exit 7")
        self.cluster.wait_until(mark.exists, "the task's mark")
        self.cluster.wait_for_status(task, "running")
        return task, gate, int(mark.read_text())

    def test_following_begins_with_what_is_written_from_now_on(self):
        cluster = self.cluster
        gate = cluster.home / "gate"
        task = cluster.submit("--", "sh", "-c", f"echo first; i=0; until test -e {gate}; do sleep 0.05; i=$((i + 1)); "
                              "echo $i; done; echo last")
        cluster.wait_until(lambda: (cluster.client("--stdout", task).stdout or "first\n") != "first\n", "a number")
        follower = subprocess.Popen([PROGRAMS / "hakuriver.client", "--stdout", task, "--tail", "0", "--follow"],
                                    env=cluster.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    text=True)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        begin = int(follower.stdout.readline())
        gate.touch()
        rest = follower.stdout.read().split()
        self.assertGreater(begin, 1)
        self.assertEqual(rest, [*(str(i) for i in range(begin + 1, begin + len(rest))), "last"])

    def test_a_task_that_is_paused_stays_so_while_the_host_restarts(self):
        cluster = self.cluster
        task, gate, process = self.begin_task()
        cluster.client("--pause", task, check=0)
        cluster.wait_for_status(task, "paused")
        gate.touch()
        for how in (signal.SIGTERM, signal.SIGKILL):
            cluster.host.stop(how)
            cluster.start_host()
            cluster.wait_for_status(task, "paused")
            state = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
            self.assertIn(state, "TD")  # stopped by a signal, or by the freezer of its cgroup
        cluster.client("--resume", task, check=0)
        cluster.client("--wait-for", task, check=7)

    def test_a_paused_task_outlives_its_agent(self):
        cluster = self.cluster
        task, gate, _ = self.begin_task()
        cluster.client("--pause", task, check=0)
        cluster.wait_for_status(task, "paused")
        cluster.runners["node1"].stop(signal.SIGKILL)
        cluster.start_runner("node1")
        cluster.runners["node1"].wait_for_line("registered")
        self.assertEqual(cluster.status(task)["status"], "paused")
        gate.touch()
        cluster.client("--resume", task, check=0)
        cluster.client("--wait-for", task, check=7)

    def test_without_the_database_a_runner_with_unfinished_work_waits_for_a_decision(self):
        cluster = self.cluster
        task, gate, process = self.begin_task()
        cluster.host.stop()
        for file in cluster.home.glob("hakuriver.db*"):
            file.rename(cluster.home / f"kept-{file.name}")
        cluster.start_host()
        runner = cluster.runners["node1"]
        self.assertIn("another state directory", runner.wait_for_line("holds tasks of another cluster.*").group(0))
        self.assertEqual(cluster.json("--list-nodes")["nodes"], [])
        self.assertTrue(is_alive(process))

        # One way out: the database comes back, and the task with it.
        cluster.host.stop()
        for file in cluster.home.glob("hakuriver.db*"):
            file.unlink()
        for file in cluster.home.glob("kept-*"):
            file.rename(cluster.home / file.name.removeprefix("kept-"))
        cluster.start_host()
        cluster.wait_for_nodes(["node1"])
        gate.touch()
        cluster.client("--wait-for", task, check=7)

    def test_without_the_database_another_state_directory_is_a_way_out(self):
        cluster = self.cluster
        _, gate, process = self.begin_task()
        cluster.host.stop()
        for file in cluster.home.glob("hakuriver.db*"):
            file.unlink()
        cluster.start_host()
        cluster.runners["node1"].wait_for_line("holds tasks of another cluster")
        cluster.runners["node1"].stop()
        shutil.move(cluster.home / "runner-node1" / "state", cluster.home / "old-state")
        cluster.start_runner("node1")
        cluster.wait_for_nodes(["node1"])
        cluster.client("--wait", "--target", "node1", "--", "true", check=0)
        self.assertTrue(is_alive(process))
        gate.touch()
        cluster.wait_until(lambda: not is_alive(process), "the end of the old task")

    def test_a_node_that_was_given_up_ends_its_tasks_when_it_returns(self):
        cluster = self.cluster
        task, _, process = self.begin_task()
        runner = cluster.runners["node1"]
        runner.process.send_signal(signal.SIGSTOP)
        self.addCleanup(runner.process.send_signal, signal.SIGCONT)
        cluster.wait_for_status(task, "lost")
        waiter = subprocess.Popen([PROGRAMS / "hakuriver.client", "--wait-for", task], env=cluster.environment(),
                                  stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(waiter.stderr.close)
        self.addCleanup(waiter.wait)
        cluster.client("--forget-node", "node1", check=0)
        view = cluster.status(task)
        self.assertEqual((view["status"], view["error_message"]), ("failed", "node forgotten"))
        self.assertNotEqual(waiter.wait(PATIENCE), 0)
        self.assertTrue(is_alive(process))
        runner.process.send_signal(signal.SIGCONT)
        cluster.wait_for_nodes(["node1"])
        cluster.wait_until(lambda: not is_alive(process), "the end of the task's process")
        self.assertEqual(cluster.status(task)["status"], "failed")
        cluster.client("--wait", "--target", "node1", "--", "true", check=0)

    def test_what_another_user_may_not_write_is_one_line_with_its_key_and_path(self):
        if os.geteuid() != 0:
            self.skipTest("to become another user needs root")
        cluster = self.cluster
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-stranger-"))
        self.addCleanup(shutil.rmtree, scratch)
        home = scratch / "home"
        home.mkdir()
        os.chown(home, STRANGER, STRANGER)
        os.chmod(scratch, 0o755)
        closed = scratch / "closed"
        closed.mkdir()
        readable = closed / "old.db"
        readable.touch()
        for name, key, path in (("hakuriver.host", "DATABASE_DB_FILE", closed / "x.db"),
                                ("hakuriver.host", "DATABASE_DB_FILE", readable),
                                ("hakuriver.runner", "PATHS_SHARED_DIR", closed),
                                ("hakuriver.runner", "PATHS_LOCAL_TEMP_DIR", closed),
                                ("hakuriver.runner", "PATHS_STATE_DIR", closed),
                                ("hakuriver.host", "PATHS_HOST_LOG_FILE", closed / "host.log")):
            with self.subTest(f"{name} {key}"):
                port = "0" if name == "hakuriver.host" else "1"
                environment = {**cluster.environment(), "HOME": str(home), "HAKURIVER_HOME": str(home / "h"),
                               "HAKURIVER_NETWORK_HOST_PORT": port, f"HAKURIVER_{key}": str(path)}
                done = subprocess.run(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups",
                                       PROGRAMS / name], env=environment, cwd=scratch, stdin=subprocess.DEVNULL,
                                      capture_output=True, text=True, timeout=PATIENCE, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
                self.assertIn(key.split("_", 1)[1].lower() + ":", done.stderr)
                self.assertIn(str(path if key != "DATABASE_DB_FILE" or path.exists() else closed), done.stderr)
                self.assertEqual(sorted(each.name for each in closed.iterdir()), ["old.db"])


class Beginning(unittest.TestCase):
    def test_host_runner_and_client_started_at_once_in_an_empty_home(self):
        home = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-beginning-"))
        self.addCleanup(shutil.rmtree, home)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "HAKURIVER_NETWORK_HOST_PORT": str(port)}

        def start(name, *words):
            return subprocess.Popen([PROGRAMS / name, *words], env=environment, cwd=home, stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        # The client first: there is no token yet, no host, and then no node.
        client = start("hakuriver.client", "--wait", "--", "echo", "hello")
        self.assertIn("connection refused", client.stderr.readline())
        others = [start("hakuriver.host"), start("hakuriver.runner", "--name", "node1")]
        out, words = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, words)
        shown = start("hakuriver.client", "--stdout", out.strip())
        self.assertEqual(shown.communicate(timeout=PATIENCE)[0], "hello\n")
        for other in reversed(others):
            other.terminate()
            self.assertIn("INFO", other.communicate(timeout=PATIENCE)[1])
            self.assertEqual(other.returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
