"""hakuriver.client against a real host and real runners: client_tasks.py PROGRAMS"""

import re
import subprocess
import sys
import time
import unittest

from cluster import Cluster

PROGRAMS = sys.argv[1]
cluster = Cluster(PROGRAMS, nodes=("node1", "node2"))


def setUpModule():
    cluster.start()


def tearDownModule():
    cluster.close()


class Submission(unittest.TestCase):
    def test_the_id_is_all_there_is_on_stdout(self):
        done = cluster.client("--target", "node1", "--", "echo", "Hello, HakuRiver!", check=0)
        self.assertRegex(done.stdout, r"\A\d+\n\Z")
        self.assertEqual(done.stderr, "")
        task = done.stdout.strip()
        cluster.client("--wait-for", task, check=0)
        self.assertEqual(cluster.client("--stdout", task, check=0).stdout, "Hello, HakuRiver!\n")

    def test_the_command_stays_an_argv(self):
        words = ["--target", "x", "a b", "", "$HOME", "it's", "*", "{i}", "{#}", "line\nbreak", "\x1b[2J", "--"]
        task = cluster.submit("--wait", "--target", "node1", "--", "printf", "%s|", *words)
        self.assertEqual(cluster.status(task)["arguments"], ["%s|", *words])
        self.assertEqual(cluster.client("--stdout", task, check=0).stdout, "|".join(words) + "|")

    def test_bytes_that_are_not_text_arrive(self):
        task = cluster.submit("--wait", "--", "printf", "%s", "\udcff\udcfe")
        self.assertEqual(cluster.client("--stdout", task).stdout, "\udcff\udcfe")
        self.assertIn("base64", str(cluster.status(task)["arguments"]))

    def test_several_targets_are_as_many_tasks_of_one_batch(self):
        done = cluster.client("--target", "node1", "--target", "node2", "--target", "node1:0", "--container", "NULL",
                              "--cores", "1", "--memory", "100M", "--env", "A=1", "--env", "B=x y", "--name", "triple",
                              "--wait", "--", "sh", "-c", 'echo "$A $B $HAKURIVER_NODE"', check=0)
        tasks = [cluster.status(task) for task in done.stdout.split()]
        self.assertEqual([task["assigned_node"] for task in tasks], ["node1", "node2", "node1"])
        self.assertEqual([task["target_numa_node_id"] for task in tasks], [None, None, 0])
        self.assertEqual(len({task["batch_id"] for task in tasks}), 1)
        for task in tasks:
            self.assertEqual(task["required_memory_bytes"], 104857600)
            self.assertEqual(task["required_cores"], 1)
            self.assertEqual(task["env_vars"], {"A": "1", "B": "x y"})
            self.assertEqual(task["name"], "triple")
            self.assertEqual(task["status"], "completed")
        self.assertEqual(cluster.client("--stdout", tasks[1]["task_id"]).stdout, "1 x y node2\n")

    def test_a_target_that_is_refused_does_not_hold_up_the_others(self):
        done = cluster.client("--target", "node1", "--target", "node9", "--target", "node2:77", "--", "true", check=0)
        self.assertEqual(len(done.stdout.split()), 1)
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertIn("node9", done.stderr)
        self.assertIn("node2:77", done.stderr)
        refused = cluster.client("--target", "node9", "--", "true", check=1)
        self.assertEqual(refused.stdout, "")
        self.assertEqual(len(refused.stderr.splitlines()), 1)

    def test_a_numa_node_that_is_not_there_is_refused_with_those_that_are(self):
        done = cluster.client("--target", "node1:9", "--", "true", check=1)
        self.assertRegex(done.stderr, r"node1:9: .*NUMA.*\b0\b")

    def test_sizes_that_never_fit_are_refused(self):
        self.assertIn("cores", cluster.client("--target", "node1", "--cores", "9", "--", "true", check=1).stderr)
        self.assertIn("memory", cluster.client("--memory", "33G", "--", "true", check=1).stderr)

    def test_memory_sizes(self):
        for text, size in (("8G", 8589934592), ("8GB", 8000000000), ("8GiB", 8589934592), ("512k", 524288)):
            task = cluster.submit("--memory", text, "--", "true")
            self.assertEqual(cluster.status(task)["required_memory_bytes"], size)

    def test_features_that_no_node_has_are_refused_with_the_reason(self):
        for options in (["--container", "my-env"], ["--private-network"], ["--private-pid"]):
            done = cluster.client(*options, "--", "true")
            if done.returncode != 0:
                self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), done.stderr)
                self.assertNotIn("there is no node", done.stderr)

    def test_the_client_returns_at_once(self):
        begin = time.monotonic()
        task = cluster.submit("--target", "node1", "--", "sleep", "300")
        self.assertLess(time.monotonic() - begin, 5)
        cluster.wait_for_status(task, "running")
        cluster.client("--kill", task, check=0)

    def test_the_task_has_an_empty_standard_input_and_the_shared_directory(self):
        task = cluster.submit("--wait", "--", "sh", "-c", "cat; pwd")
        self.assertEqual(cluster.client("--stdout", task).stdout, f"{cluster.shared}\n")
        task = cluster.submit("--wait", "--cwd", "/", "--", "pwd")
        self.assertEqual(cluster.client("--stdout", task).stdout, "/\n")

    def test_the_environment_is_the_tasks_own(self):
        task = cluster.submit("--wait", "--env", "X=1", "--", "env")
        names = {line.split("=")[0] for line in cluster.client("--stdout", task).stdout.splitlines()}
        own = {"HAKURIVER_" + name for name in ("TASK_ID", "TASK_ATTEMPT", "BATCH_ID", "NODE", "SHARED_DIR",
                                                "LOCAL_TEMP_DIR", "HOST", "HOME")}
        allowed = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "X", "PWD", "SHLVL", "_"} | own
        self.assertEqual([name for name in names - allowed if not name.startswith("LC_")], [])
        self.assertEqual(own - names, set())

    def test_a_tasks_own_variables_stand(self):
        task = cluster.submit("--wait", "--env", "HAKURIVER_TASK_ID=7", "--env", "PATH=/bin", "--", "/usr/bin/env")
        lines = cluster.client("--stdout", task).stdout.splitlines()
        self.assertIn(f"HAKURIVER_TASK_ID={task}", lines)
        self.assertIn("PATH=/bin", lines)

    def test_directories_of_the_cluster_are_there(self):
        done = cluster.client("--wait", "--", "sh", "-c", 'ls -d "$HAKURIVER_SHARED_DIR" "$HAKURIVER_LOCAL_TEMP_DIR"')
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_hakurun_is_there_for_tasks(self):
        task = cluster.submit("--wait", "--", "hakurun", "echo", "span:{1..3}")
        self.assertEqual(cluster.client("--stdout", task).stdout, "1\n2\n3\n")

    def test_what_does_not_fit_waits(self):
        script = "echo begin >> turns; sleep 0.1; echo end >> turns"
        tasks = [cluster.submit("--target", "node1", "--cores", "8", "--", "sh", "-c", script) for _ in range(4)]
        for task in tasks:
            cluster.client("--wait-for", task, check=0)
        self.assertEqual((cluster.shared / "turns").read_text(), "begin\nend\n" * 4)

    def test_a_task_for_a_busy_node_runs_nowhere_else(self):
        busy = cluster.submit("--target", "node2", "--cores", "8", "--", "sleep", "300")
        cluster.wait_for_status(busy, "running")
        task = cluster.submit("--target", "node2", "--", "true")
        cluster.client("--wait", "--target", "node1", "--", "true", check=0)
        self.assertEqual(cluster.status(task)["status"], "pending")
        self.assertIn("busy", cluster.client("--status", task, check=0).stdout)
        cluster.client("--kill", busy, check=0)
        cluster.client("--wait-for", task, check=0)
        self.assertEqual(cluster.status(task)["assigned_node"], "node2")

    def test_without_targets_tasks_spread(self):
        tasks = [cluster.submit("--", "sleep", "300") for _ in range(6)]
        for task in tasks:
            cluster.wait_for_status(task, "running")
        self.assertEqual({cluster.status(task)["assigned_node"] for task in tasks}, {"node1", "node2"})
        for task in tasks:
            cluster.client("--kill", task, check=0)


class StandardInput(unittest.TestCase):
    def test_the_client_leaves_it_to_the_shell(self):
        lines = "hakuriver.client --target node1 -- cat\nhakuriver.client --target node1 -- true\n"
        done = subprocess.run(["bash"], input=lines, env=cluster.environment(), capture_output=True, text=True,
                              check=True)
        self.assertEqual(len(done.stdout.split()), 2, done.stderr)

    def test_a_loop_over_lines_sees_them_all(self):
        done = cluster.bash("printf 'a\\nb\\nc\\n' | while read -r x; do hakuriver.client --wait -- echo $x; done")
        self.assertEqual(len(done.stdout.split()), 3, done.stderr)


class Sweeps(unittest.TestCase):
    def newest(self):
        return [task["task_id"] for task in cluster.json("--list-tasks", "--limit", "1")["tasks"]]

    def commands_of(self, ids):
        return [[task["command"], *task["arguments"]] for task in map(cluster.status, ids)]

    def test_hakurun_submits_a_task_for_each_combination(self):
        done = cluster.bash("hakurun hakuriver.client --target node1:0 --cores 1 -- python script.py span:{1..10}")
        ids = done.stdout.split()
        self.assertEqual(self.commands_of(ids), [["python", "script.py", str(i)] for i in range(1, 11)], done.stderr)

    def test_hakurun_prints_commands_for_bash(self):
        expected = [["python", "script.py", i, x] for i in "123" for x in "AB"]
        for line in ('hakurun echo "hakuriver.client --target node1 -- python script.py" span:{1..3} span:[A,B] | bash',
                     "hakurun echo hakuriver.client --target node1 -- python script.py span:{1..3} span:[A,B] | bash",
                     "hakurun --dry-run hakuriver.client --target node1 -- python script.py span:{1..3} "
                     "'span:[A,B]' | bash"):
            with self.subTest(line):
                done = cluster.bash(line)
                self.assertEqual(self.commands_of(done.stdout.split()), expected, done.stderr)

    def test_loops_of_the_shell(self):
        done = cluster.bash('for lr in 0.001 0.01; do for batch in 32 64; do hakuriver.client --target node1 --cores 4 '
                            '--memory 8G -- echo train.py --lr "$lr" --batch "$batch"; done; done')
        self.assertEqual(self.commands_of(done.stdout.split()),
                         [["echo", "train.py", "--lr", lr, "--batch", batch] for lr in ("0.001", "0.01")
                          for batch in ("32", "64")], done.stderr)
        for task in done.stdout.split():
            cluster.client("--wait-for", task, check=0)

    def test_each_combination_has_its_own_end(self):
        done = cluster.bash("hakurun hakuriver.client -- sh -c 'test $0 != 2' 'span:{1..3}'")
        tasks = done.stdout.split()
        self.assertEqual([cluster.client("--wait-for", task).returncode for task in tasks], [0, 1, 0])
        self.assertEqual([cluster.status(task)["status"] for task in tasks], ["completed", "failed", "completed"])

    def test_a_dry_run_submits_nothing(self):
        before = self.newest()
        done = cluster.bash("hakurun --dry-run hakuriver.client --target node1 -- true 'span:{1..3}'")
        self.assertEqual(done.stdout.splitlines(), [f"hakuriver.client --target node1 -- true {i}" for i in (1, 2, 3)])
        self.assertEqual(self.newest(), before)

    def test_blanks_survive_a_dry_run(self):
        done = cluster.bash("hakurun --dry-run hakuriver.client -- echo 'span:[a b,c]' | bash")
        self.assertEqual(self.commands_of(done.stdout.split()), [["echo", "a b"], ["echo", "c"]], done.stderr)

    def test_targets_and_sizes_can_be_swept(self):
        done = cluster.bash("hakurun hakuriver.client --wait --target 'span:[node1,node2]' -- hostname")
        nodes = [cluster.status(task)["assigned_node"] for task in done.stdout.split()]
        self.assertEqual(nodes, ["node1", "node2"], done.stderr)
        done = cluster.bash("hakurun hakuriver.client --target node1 --cores 'span:[1,2]' -- true")
        self.assertEqual([cluster.status(task)["required_cores"] for task in done.stdout.split()], [1, 2])

    def test_one_task_runs_a_whole_sweep(self):
        done = cluster.bash("hakuriver.client --wait --target node1 -- hakurun --parallel echo span:{1..3} span:[A,B]")
        lines = cluster.client("--stdout", done.stdout.strip()).stdout.splitlines()
        self.assertEqual(sorted(lines), ["1 A", "1 B", "2 A", "2 B", "3 A", "3 B"], done.stderr)


class Waiting(unittest.TestCase):
    def test_the_exit_status_is_the_tasks_own(self):
        for command, status in ((["sh", "-c", "exit 3"], 3), (["true"], 0), (["sh", "-c", "kill -SEGV $$"], 139),
                                (["no-such-command"], 127), (["/etc/passwd"], 126)):
            with self.subTest(command):
                done = cluster.client("--wait", "--target", "node1", "--", *command)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stdout, r"\A\d+\n\Z")
                if status == 127:
                    self.assertIn("no-such-command", done.stderr)

    def test_several_tasks_are_good_only_together(self):
        script = 'test "$HAKURIVER_NODE" = node1'
        done = cluster.client("--wait", "--target", "node1", "--target", "node2", "--", "sh", "-c", script, check=1)
        self.assertIn("1 of 2", done.stderr)
        cluster.client("--wait", "--target", "node1", "--target", "node2", "--", "true", check=0)

    def test_a_pipeline_of_two_stages(self):
        pipeline = ('if TASK1=$(hakuriver.client --wait --target node1 -- sh -c "exit {0}"); then echo second; fi; '
                    'echo "$TASK1"')
        good = cluster.bash(pipeline.format(0)).stdout.split()
        self.assertEqual(good[0], "second")
        self.assertRegex(good[1], r"^\d+$")
        bad = cluster.bash(pipeline.format(3)).stdout.split()
        self.assertEqual(len(bad), 1)

    def test_until_it_succeeds(self):
        script = ("until hakuriver.client --wait -- sh -c 'echo x >> tries; test $(wc -l < tries) -ge 3'; "
                  "do :; done")
        self.assertEqual(cluster.bash(script).returncode, 0)
        self.assertEqual((cluster.shared / "tries").read_text(), "x\n" * 3)

    def test_a_killed_task(self):
        task = cluster.submit("--", "sleep", "300")
        cluster.wait_for_status(task, "running")
        waiter = subprocess.Popen([cluster.programs / "hakuriver.client", "--wait-for", task],
                                  env=cluster.environment(), stderr=subprocess.PIPE, text=True)
        cluster.client("--kill", task, check=0)
        _, words = waiter.communicate(timeout=30)
        self.assertGreaterEqual(waiter.returncode, 128, words)
        self.assertIn("killed", words)

    def test_an_id_that_nobody_knows(self):
        self.assertEqual(cluster.client("--wait-for", "5").returncode, 3)

    def test_an_interrupted_wait_leaves_the_task_alone(self):
        waiter = subprocess.Popen([cluster.programs / "hakuriver.client", "--wait", "--", "sleep", "300"],
                                  env=cluster.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        task = waiter.stdout.readline().strip()
        cluster.wait_for_status(task, "running")
        waiter.send_signal(2)
        _, words = waiter.communicate(timeout=30)
        self.assertEqual(waiter.returncode, 130)
        self.assertEqual(len(words.splitlines()), 1)
        self.assertIn(task, words)
        self.assertEqual(cluster.status(task)["status"], "running")
        cluster.client("--kill", task, check=0)


class Orders(unittest.TestCase):
    def test_killing_ends_the_whole_tree(self):
        task = cluster.submit("--target", "node1", "--", "sh", "-c", "sleep 4242 & sleep 4242; wait")
        cluster.wait_for_status(task, "running")
        cluster.client("--kill", task, check=0)
        cluster.wait_for_status(task, "killed")
        alive = subprocess.run(["pgrep", "-f", "^sleep 4242$"], capture_output=True, text=True, check=False).stdout
        self.assertEqual(alive, "")
        again = cluster.client("--kill", task, check=4)
        self.assertEqual(len(again.stderr.splitlines()), 1)

    def test_killing_a_batch(self):
        tasks = cluster.client("--target", "node1", "--target", "node2", "--", "sleep", "300").stdout.split()
        batch = cluster.status(tasks[0])["batch_id"]
        cluster.client("--kill", batch, check=0)
        done = cluster.client("--wait-for", batch)
        self.assertEqual(done.returncode, 1)
        self.assertEqual({cluster.status(task)["status"] for task in tasks}, {"killed"})

    def test_pause_and_resume(self):
        task = cluster.submit("--", "sleep", "300")
        cluster.wait_for_status(task, "running")
        self.assertEqual(cluster.client("--resume", task).returncode, 4)
        cluster.client("--pause", task, check=0)
        cluster.wait_for_status(task, "paused")
        cluster.client("--resume", task, check=0)
        cluster.wait_for_status(task, "running")
        cluster.client("--kill", task, check=0)

    def test_a_drained_node_takes_nothing_more(self):
        cluster.client("--drain", "node2", check=0)
        self.addCleanup(cluster.client, "--undrain", "node2")
        self.assertIn("drained", cluster.client("--list-nodes").stdout)
        task = cluster.submit("--target", "node2", "--", "true")
        self.assertEqual(cluster.status(task)["status"], "pending")
        self.assertIn("drained", cluster.client("--status", task).stdout)
        cluster.client("--undrain", "node2", check=0)
        cluster.client("--wait-for", task, check=0)


class BadInput(unittest.TestCase):
    def test_one_line_exit_2_and_nothing_submitted(self):
        before = [task["task_id"] for task in cluster.json("--list-tasks", "--limit", "1")["tasks"]]
        for words in (["--targett", "node1", "--", "true"], ["--target", "my-node:", "--", "true"],
                      ["--target", "my-node:x", "--", "true"], ["--cores", "-1", "--", "true"],
                      ["--memory", "lots", "--", "true"], ["--env", "novalue", "--", "true"],
                      ["--env", "=x", "--", "true"], ["--", ""], ["--target", "node1"], ["--wait"],
                      ["--status", "x"], ["--status", "5", "--kill", "5"], ["--container", "NULL", "--privileged", "x"],
                      ["--config", "/nonexistent.toml", "--", "true"], ["--host", "ftp://x", "--", "true"],
                      ["--", "true", *["x" * 131000] * 9], ["--poll-interval", "-1", "--", "true"],
                      ["--status", "-5"], ["--status", "9" * 30], ["--stdout", "5", "--tail", "100000001"],
                      ["--stdout", "5", "--tail", "-1"], ["--list-tasks", "--limit", "0"], ["--wait-for", "5", "x"],
                      ["--health", "a b"], ["--drain", "../x"], ["--name", "\udcff" * 5000, "--", "true"],
                      ["--output", "xml", "-l"], ["--mount", "a:/b", "--", "true"], ["--cwd", "x\ny", "--", "true"],
                      ["--target", "\x1b[31m", "--", "true"], ["--cores", "nan", "--", "true"],
                      ["--cores", "1e9", "--", "true"], ["--memory", "-1", "--", "true"],
                      ["--memory", "9" * 400, "--", "true"]):
            with self.subTest(words[:2]):
                done = cluster.client(*words)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual((done.stdout, len(done.stderr.splitlines())), ("", 1), done.stderr)
                self.assertNotIn("\x1b", done.stderr)
                self.assertLess(len(done.stderr), 500)
        self.assertEqual([task["task_id"] for task in cluster.json("--list-tasks", "--limit", "1")["tasks"]], before)

    def test_no_arguments_are_a_question(self):
        done = cluster.client(check=0)
        self.assertTrue(done.stdout.startswith("Examples:"))
        self.assertRegex(cluster.client("--version", check=0).stdout, r"^hakuriver.client \d+\.\d+\.\d+\n$")

    def test_a_placeholder_pasted_literally_is_the_shells_error(self):
        self.assertEqual(cluster.bash("hakuriver.client --status <task_id>").returncode, 2)


class Access(unittest.TestCase):
    def test_a_client_without_the_token_is_not_allowed(self):
        environment = cluster.environment(HAKURIVER_HOME="/nonexistent",
                                          HAKURIVER_HOST=f"http://127.0.0.1:{cluster.port}")
        done = cluster.client("--list-nodes", environment=environment, check=4)
        self.assertEqual(done.stderr, "hakuriver.client: a bearer token is required, and there is no token file "
                                      "'/nonexistent/token'\n")

    def test_a_task_can_submit_tasks(self):
        task = cluster.submit("--wait", "--", "hakuriver.client", "--wait", "--", "echo", "inner")
        inner = cluster.client("--stdout", task).stdout.strip()
        self.assertTrue(re.fullmatch(r"\d+", inner))
        self.assertEqual(cluster.client("--stdout", inner).stdout, "inner\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
