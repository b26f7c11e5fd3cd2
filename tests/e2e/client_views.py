"""What hakuriver.client shows of tasks, batches, output and nodes: client_views.py PROGRAMS"""

import re
import sys
import unittest

from cluster import Cluster

PROGRAMS = sys.argv[1]
cluster = Cluster(PROGRAMS, nodes=("node1", "node2"))


def setUpModule():
    cluster.start()


def tearDownModule():
    cluster.close()


class Looking(unittest.TestCase):
    def test_status_of_a_failed_task(self):
        task = cluster.client("--wait", "--name", "st", "--", "sh", "-c", "exit 3").stdout.strip()
        page = cluster.client("--status", task, check=0).stdout
        for word in (task, "failed", "exit code 3", "sh -c 'exit 3'", "Submitted", "Ended", "st"):
            self.assertIn(word, page)
        record = cluster.status(task)
        self.assertEqual((record["status"], record["exit_code"], record["task_id"]), ("failed", 3, task))

    def test_status_of_a_batch(self):
        tasks = cluster.client("--target", "node1", "--target", "node2", "--wait", "--", "true").stdout.split()
        batch = cluster.status(tasks[0])["batch_id"]
        self.assertNotIn(batch, tasks)
        self.assertIn("completed", cluster.client("--status", batch, check=0).stdout)
        self.assertEqual(cluster.json("--status", batch)["count"], 2)
        listed = cluster.json("--list-tasks", "--batch", batch)["tasks"]
        self.assertEqual(sorted(task["task_id"] for task in listed), sorted(tasks))

    def test_what_is_not_there(self):
        for option in ("--status", "--stdout", "--stderr", "--kill", "--pause", "--resume"):
            with self.subTest(option):
                done = cluster.client(option, "5", check=3)
                self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1))
        self.assertEqual(cluster.client("--health", "node9").returncode, 3)
        self.assertEqual(cluster.client("--drain", "node9").returncode, 3)

    def test_output_is_byte_for_byte_and_standard_error_too(self):
        script = "printf 'a\\000b\\377'; printf 'oops' >&2"
        task = cluster.submit("--wait", "--", "sh", "-c", script)
        self.assertEqual(cluster.client("--stdout", task, check=0).stdout, "a\0b\udcff")
        self.assertEqual(cluster.client("--stderr", task, check=0).stdout, "oops")

    def test_following_and_tails(self):
        task = cluster.submit("--", "sh", "-c", "for i in 1 2 3 4; do echo $i; sleep 0.1; done")
        self.assertEqual(cluster.client("--stdout", task, "--follow", check=0).stdout, "1\n2\n3\n4\n")
        self.assertEqual(cluster.client("--stdout", task, "--tail", "2", check=0).stdout, "3\n4\n")
        self.assertEqual(cluster.client("--stdout", task, "--tail", "1", "--follow", check=0).stdout, "4\n")
        self.assertEqual(cluster.client("--stdout", task, "--tail", "0", check=0).stdout, "")

    def test_a_reader_that_stops_reading(self):
        task = cluster.submit("--wait", "--", "sh", "-c", "yes | head -c 3000000")
        done = cluster.bash(f"hakuriver.client --stdout {task} | head -n 1; echo ${{PIPESTATUS[0]}}")
        self.assertEqual(done.stdout.splitlines()[0], "y")

    def test_tasks_are_listed_newest_first_and_filtered(self):
        ids = [cluster.submit("--target", node, "--name", "list-me", "--wait", "--", "echo", node)
               for node in ("node1", "node2", "node1")]
        listed = [task["task_id"] for task in cluster.json("--list-tasks", "--name", "list-me")["tasks"]]
        self.assertEqual(listed, ids[::-1])
        on_two = cluster.json("--list-tasks", "--name", "list-me", "--node", "node2")["tasks"]
        self.assertEqual([task["task_id"] for task in on_two], [ids[1]])
        page = cluster.json("--list-tasks", "--name", "list-me", "--limit", "2")
        self.assertEqual([task["task_id"] for task in page["tasks"]], ids[:0:-1])
        rest = cluster.json("--list-tasks", "--name", "list-me", "--before", page["next"])
        self.assertEqual([task["task_id"] for task in rest["tasks"]], [ids[0]])
        table = cluster.client("--list-tasks", "--name", "list-me", "--state", "completed", check=0).stdout
        self.assertEqual(len(table.splitlines()), 4)
        for task in ids:
            self.assertIn(task, table)
        self.assertLessEqual(max(map(len, table.splitlines())), 80)
        self.assertNotIn("\x1b", table)

    def test_a_list_without_tasks(self):
        for words in (("--name", "nobody"), ("--state", "lost"), ("--node", "node1", "--state", "lost")):
            done = cluster.client("--list-tasks", *words, check=0)
            self.assertEqual((len(done.stdout.splitlines()), done.stderr), (1, "hakuriver.client: no such task\n"))

    def test_nodes_and_health(self):
        table = cluster.client("--list-nodes", check=0).stdout
        self.assertEqual([line.split()[0] for line in table.splitlines()], ["NODE", "node1", "node2"])
        self.assertRegex(table, r"node1 +online +\S*/8 .*\d+ \(0: \d+ cores?")
        # A node's first report brings its health, soon after it has registered.
        cluster.wait_until(lambda: "CPU" in cluster.client("--health", "node1", check=0).stdout, "health of node1")
        health = cluster.client("--health", "node1", check=0).stdout
        for word in ("node1", "CPU", "Memory", "Heartbeat", "NUMA node 0"):
            self.assertIn(word, health)
        self.assertNotIn("node2", health)
        everything = cluster.client("--health", check=0).stdout
        self.assertIn("2 of 2 online", everything)
        self.assertEqual([node["hostname"] for node in cluster.json("--health", "node2")["nodes"]], ["node2"])

    def test_what_is_shown_cannot_move_the_cursor(self):
        evil = "\x1b[31mred\x07\nline\u009b2J"
        task = cluster.submit("--wait", "--name", evil, "--env", f"E={evil}", "--", "true", evil)
        for words in (("--list-tasks",), ("--status", task), ("--list-tasks", "--name", evil)):
            shown = cluster.client(*words, check=0).stdout
            self.assertIn(r"\x1b[31mred\x07", shown.replace(r"\033", r"\x1b").replace(r"\a", r"\x07"))
            self.assertFalse(re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", shown), repr(shown))
        self.assertEqual(cluster.status(task)["name"], evil)

    def test_colour_is_for_terminals_that_want_it(self):
        cluster.submit("--wait", "--", "true")
        for variables, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False),
                                    ({"TERM": "dumb"}, False), ({}, False)):
            with self.subTest(variables):
                shown = cluster.terminal("--list-tasks", "--limit", "3", **variables)
                self.assertEqual("\x1b[" in shown, coloured, shown)
                plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
                self.assertLessEqual(max(map(len, plain.splitlines())), 80)
                self.assertTrue(plain.startswith("ID "), plain)

    def test_the_json_of_a_task_keeps_its_fields(self):
        task = cluster.submit("--wait", "--target", "node1", "--", "true")
        wanted = {"task_id", "batch_id", "command", "arguments", "env_vars", "required_cores", "required_memory_bytes",
                  "status", "assigned_node", "target_numa_node_id", "stdout_path", "stderr_path", "exit_code",
                  "error_message", "submitted_at", "started_at", "completed_at", "name", "launcher", "enforced"}
        self.assertEqual(wanted - set(cluster.status(task)), set())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
