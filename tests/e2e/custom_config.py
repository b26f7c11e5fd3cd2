"""A configuration file of one's own for a submission, beside another cluster's: custom_config.py PROGRAMS"""

import shutil
import sys
import unittest

from cluster import Cluster

PROGRAMS = sys.argv[1]
LINE = "hakuriver.client --config custom-config.toml --target node1 -- command"  # as the guide has it
usual, other = Cluster(PROGRAMS), Cluster(PROGRAMS)


def setUpModule():
    for cluster in (usual, other):
        unittest.addModuleCleanup(cluster.close)
        cluster.start()


def tasks_of(cluster):
    return {task["task_id"] for task in cluster.json("--list-tasks", "--limit", "1000")["tasks"]}


class CustomConfig(unittest.TestCase):
    """Lines are typed where the usual cluster is the one that needs no configuration."""

    def setUp(self):
        self.before = tasks_of(usual), tasks_of(other)
        self.file = usual.home / "custom-config.toml"

    def tearDown(self):
        self.file.unlink(missing_ok=True)

    def test_it_reaches_the_host_of_that_file(self):
        self.file.write_text(f'[network]\nhost_port = {other.port}\n[security]\ntoken_file = "{other.home}/token"\n')
        done = usual.bash(LINE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\A\d+\n\Z")
        task = done.stdout.strip()
        self.assertEqual(tasks_of(usual), self.before[0])
        self.assertEqual({str(each) for each in tasks_of(other) - self.before[1]}, {task})
        other.wait_for_status(task, "failed", "completed")
        status = other.status(task)
        self.assertEqual((status["command"], status["arguments"], status["assigned_node"]), ("command", [], "node1"))
        if shutil.which("command") is None:  # it stands for a command; there are systems that have one of that name
            self.assertEqual((status["status"], status["exit_code"]), ("failed", 127))
            self.assertIn("command", status["error_message"])

    def test_a_file_that_is_not_there_is_one_line_and_exit_2(self):
        done = usual.bash(LINE)
        self.assertEqual((done.returncode, done.stdout, len(done.stderr.splitlines())), (2, "", 1), done.stderr)
        self.assertIn("custom-config.toml", done.stderr)
        self.assertEqual((tasks_of(usual), tasks_of(other)), self.before)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
