"""Sweeps and the cluster, from inside of tasks, too: hakurun_cluster.py PROGRAMS EXAMPLES"""

import pathlib
import shutil
import sys
import unittest

from cluster import Cluster

PROGRAMS, EXAMPLES = map(pathlib.Path, sys.argv[1:3])

PRODUCT = [["python", "script.py", number, letter] for number in "123" for letter in "AB"]
PRINTED = [f"['{number}', '{letter}']" for number in "123" for letter in "AB"]


class WithCluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(PROGRAMS, nodes=("node1", "node2"))
        cls.cluster.__enter__()
        cls.addClassCleanup(cls.cluster.close)
        shutil.copytree(EXAMPLES / "sweeps", cls.cluster.shared, dirs_exist_ok=True)

    def command(self, task):
        record = self.cluster.status(task)
        return [record["command"], *record["arguments"]]

    def output(self, task):
        self.cluster.client("--wait-for", task, check=0)
        return self.cluster.client("--stdout", task, check=0).stdout

    def run_in_task(self, *words):
        """The output of a task that may talk to the cluster itself."""
        return self.output(self.cluster.submit("--env", f"HAKURIVER_HOME={self.cluster.home}", "--target", "node1", "--",
                                               *words))

    def test_method_1_gives_each_combination_a_task(self):
        done = self.cluster.bash('hakurun echo "hakuriver.client --target node1 -- python3 script.py" span:{1..3} '
                                 "span:[A,B] | bash")
        tasks = done.stdout.split()
        self.assertEqual([self.command(task)[1:] for task in tasks], [words[1:] for words in PRODUCT], done.stderr)
        self.assertEqual([self.output(task).strip() for task in tasks], PRINTED)

    def test_method_1_inside_of_a_task(self):
        tasks = self.run_in_task("hakurun", "hakuriver.client", "--target", "span:[node1,node2]", "--", "python3",
                                 "script.py", "span:{1..2}").split()
        self.assertEqual([self.output(task) for task in tasks], ["['1']\n", "['2']\n"] * 2)
        nodes = [self.cluster.status(task)["assigned_node"] for task in tasks]
        self.assertEqual(nodes, ["node1", "node1", "node2", "node2"])

    def test_method_2_runs_the_whole_sweep_in_one_task(self):
        done = self.cluster.bash("hakuriver.client --wait --target node1 -- hakurun --parallel python3 script.py "
                                 "span:{1..3} span:[A,B]")
        task = done.stdout.strip()
        self.assertEqual(sorted(self.output(task).splitlines()), PRINTED, done.stderr)
        self.assertEqual(self.command(task), ["hakurun", "--parallel", "python3", "script.py", "span:1", "span:2",
                                              "span:3", "span:[A,B]"])

    def test_method_2_inside_of_a_task(self):
        task = self.run_in_task("hakuriver.client", "--target", "node2", "--", "hakurun", "-j2", "-k", "python3",
                                "script.py", "span:{1..3}", "span:[A,B]").strip()
        self.assertEqual(self.output(task).splitlines(), PRINTED)
        self.assertEqual(self.cluster.status(task)["assigned_node"], "node2")

    def test_a_sweep_in_a_task_fails_as_its_combinations_do(self):
        done = self.cluster.client("--wait", "--target", "node1", "--", "hakurun", "-j2", "test", "span:1..3", "-lt", "3")
        self.assertEqual(done.returncode, 1)
        task = done.stdout.strip()
        self.assertIn("1 of 3 failed", self.cluster.client("--stderr", task).stdout)

    def test_killing_the_task_ends_the_sweep_with_all_its_commands(self):
        task = self.cluster.submit("--target", "node1", "--", "hakurun", "-j3", "sh", "-c",
                                   "echo $$ > pid-$0; sleep 1000 & sleep 1000", "span:1..9")
        pids = [self.cluster.shared / f"pid-{number}" for number in (1, 2, 3)]
        self.cluster.wait_until(lambda: all(pid.exists() and pid.read_text().strip() for pid in pids), "three running")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        left = [pid for pid in pids if pathlib.Path(f"/proc/{pid.read_text().strip()}").exists()]
        self.assertEqual(left, [])
        self.assertFalse((self.cluster.shared / "pid-4").exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
