"""hakuriver.client while the host or a runner goes away and comes back: client_restarts.py PROGRAMS"""

import signal
import subprocess
import sys
import threading
import unittest

from cluster import Cluster

PROGRAMS = sys.argv[1]


class Restarts(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(PROGRAMS, nodes=("node1",))
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def begin(self, *words):
        return subprocess.Popen([self.cluster.programs / "hakuriver.client", *words], env=self.cluster.environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_a_wait_outlives_the_host(self):
        gate = self.cluster.home / "gate"
        waiter = self.begin("--wait", "--", "sh", "-c", f"until test -e {gate}; do sleep 0.05; done; exit 7")
        task = waiter.stdout.readline().strip()
        self.cluster.wait_for_status(task, "running")
        self.cluster.host.stop(signal.SIGKILL)
        line = waiter.stderr.readline()
        self.assertIn("waiting for it to come back", line)
        self.cluster.start_host()
        gate.touch()
        _, words = waiter.communicate(timeout=60)
        self.assertEqual(waiter.returncode, 7, words)
        self.assertEqual(len(words.splitlines()), 1, words)
        self.assertIn("7", words)

    def test_a_submission_outlives_the_host_and_is_made_once(self):
        self.cluster.host.stop(signal.SIGKILL)
        submitter = self.begin("--name", "once", "--", "true")
        self.assertIn("trying again", submitter.stderr.readline())
        self.cluster.start_host()
        out, words = submitter.communicate(timeout=60)
        self.assertEqual(submitter.returncode, 0, words)
        self.cluster.client("--wait-for", out.strip(), check=0)
        listed = self.cluster.json("--list-tasks", "--name", "once")["tasks"]
        self.assertEqual([task["task_id"] for task in listed], [out.strip()])

    def test_following_outlives_the_host(self):
        gate = self.cluster.home / "gate"
        task = self.cluster.submit("--", "sh", "-c", f"echo one; until test -e {gate}; do sleep 0.05; done; echo two")
        self.cluster.wait_for_status(task, "running")
        follower = self.begin("--stdout", task, "--follow")
        self.assertEqual(follower.stdout.readline(), "one\n")
        self.cluster.host.stop()
        self.cluster.start_host()
        gate.touch()
        out, words = follower.communicate(timeout=60)
        self.assertEqual((follower.returncode, out), (0, "two\n"), words)

    def test_a_host_that_is_away(self):
        self.assertEqual(self.cluster.host.stop(), 0)
        for words in (["--list-nodes"], ["--status", "5"], ["--kill", "5"], ["--stdout", "5"]):
            with self.subTest(words):
                done = self.cluster.client(*words, check=5)
                self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1))
        self.cluster.start_host()

    def test_a_runner_that_is_replaced_keeps_its_tasks(self):
        gate = self.cluster.home / "gate"
        task = self.cluster.submit("--", "sh", "-c", f"until test -e {gate}; do sleep 0.05; done; exit 5")
        self.cluster.wait_for_status(task, "running")
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        self.cluster.start_runner("node1")
        gate.touch()
        self.assertEqual(self.cluster.client("--wait-for", task).returncode, 5)

    def test_many_clients_at_once(self):
        results = []

        def submit():
            results.append(self.cluster.client("--wait", "--cores", "0", "--", "true"))

        threads = [threading.Thread(target=submit) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([done.returncode for done in results], [0] * 16)
        self.assertEqual(len({done.stdout for done in results}), 16)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
