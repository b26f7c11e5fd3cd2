"""What the one who runs a cluster is promised: start in any order, restarts, silence, files, ports: operators.py PROGRAMS"""

import os
import pathlib
import signal
import socket
import sqlite3
import subprocess
import sys
import unittest
import urllib.error
import urllib.request

from cluster import Cluster

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
NODES = ("node1", "my-compute_01.x")


class AttentiveCluster(Cluster):
    """Notices within a few seconds that a node is silent."""

    def write_config(self):
        super().write_config()
        with open(self.home / "config.toml", "a") as file:
            file.write("heartbeat_interval = 0.5\nheartbeat_timeout_factor = 8\n")


def sockets_of(process):
    """The inodes of a process's sockets."""
    links = (os.readlink(each) for each in pathlib.Path(f"/proc/{process}/fd").iterdir())
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def listening_inodes():
    lines = [line.split() for name in ("tcp", "tcp6") for line in pathlib.Path(f"/proc/net/{name}").read_text()
             .splitlines()[1:]]
    return {line[9] for line in lines if line[3] == "0A"}


def own_address():
    """An address of this machine that is no loopback one; none: it has none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            address = probe.getsockname()[0]
    except OSError:
        return None
    return None if address.startswith(("127.", "0.")) else address


class Running(unittest.TestCase):
    def setUp(self):
        self.cluster = AttentiveCluster(PROGRAMS, nodes=NODES)
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def test_a_silent_node_is_offline_refused_as_a_target_and_back_by_itself(self):
        cluster = self.cluster
        runner = cluster.runners["node1"].process
        task = cluster.submit("--target", "node1", "--", "sleep", "300")
        cluster.wait_for_status(task, "running")
        runner.send_signal(signal.SIGSTOP)
        self.addCleanup(runner.send_signal, signal.SIGCONT)
        cluster.wait_for_nodes(["node1"], "offline")
        cluster.wait_for_status(task, "lost")
        self.assertIn("lost", cluster.client("--list-tasks", check=0).stdout)
        done = cluster.client("--target", "node1", "--target", "my-compute_01.x:0", "--", "true", check=0)
        self.assertEqual(len(done.stdout.split()), 1)
        self.assertEqual(done.stderr, "hakuriver.client: node1: node 'node1' is offline\n")
        self.assertEqual(cluster.client("--target", "node1", "--", "true", check=1).stdout, "")
        runner.send_signal(signal.SIGCONT)
        cluster.wait_for_nodes(["node1"])
        cluster.wait_for_status(task, "running")
        cluster.client("--kill", task, check=0)
        cluster.wait_for_status(task, "killed")

    def test_a_dead_node_is_forgotten_by_the_operators_word(self):
        cluster = self.cluster
        self.assertEqual(cluster.client("--forget-node", "node1", check=4).stderr.count("\n"), 1)
        task = cluster.submit("--target", "node1", "--wait", "--", "true")
        cluster.runners["node1"].stop()
        cluster.wait_for_nodes(["node1"], "offline")
        done = cluster.client("--forget-node", "node1", check=0)
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1))
        self.assertEqual(cluster.node_status("node1"), None)
        self.assertEqual(cluster.client("--forget-node", "node1").returncode, 3)
        # What it did is still known; of a name that never was, nothing is.
        self.assertIn(task, cluster.client("--list-tasks", "--node", "node1", check=0).stdout)
        unknown = cluster.client("--list-tasks", "--node", "zz", check=3)
        self.assertEqual((unknown.stdout, unknown.stderr), ("", "hakuriver.client: there is no node 'zz'\n"))
        self.assertEqual(cluster.client("--list-tasks", "--batch", "7").returncode, 3)

    def test_records_outlive_the_host_and_the_database_is_where_it_was_said(self):
        cluster = self.cluster
        tasks = cluster.client("--wait", "--target", NODES[0], "--target", NODES[1], "--name", "kept", "--", "sh", "-c",
                               "exit 3", check=1).stdout.split()
        self.assertEqual(tasks, sorted(tasks, key=int))
        before = [cluster.status(task) for task in tasks]
        nodes = [node["numa_topology"] for node in cluster.json("--list-nodes")["nodes"]]
        cluster.host.stop()
        with sqlite3.connect(cluster.home / "hakuriver.db") as database:
            self.assertGreater(database.execute("PRAGMA user_version").fetchone()[0], 0)
        cluster.start_host()
        self.assertEqual([node["numa_topology"] for node in cluster.json("--list-nodes")["nodes"]], nodes)
        self.assertEqual([cluster.status(task) for task in tasks], before)
        self.assertEqual(len(cluster.json("--list-tasks", "--name", "kept")["tasks"]), 2)

    def test_runners_join_again_after_the_database_is_deleted(self):
        cluster = self.cluster
        cluster.client("--wait", "--", "true", check=0)
        cluster.host.stop()
        for file in cluster.home.glob("hakuriver.db*"):
            file.unlink()
        cluster.start_host()
        cluster.wait_for_nodes(NODES)
        self.assertEqual(cluster.json("--list-tasks")["tasks"], [])
        cluster.client("--wait", "--target", NODES[1], "--", "true", check=0)

    def test_a_runner_listens_only_where_it_is_told_to(self):
        cluster = self.cluster
        runner = cluster.runners["node1"].process.pid
        self.assertFalse(sockets_of(runner) & listening_inodes())
        self.assertTrue(sockets_of(cluster.host.process.pid) & listening_inodes())
        for node in cluster.json("--list-nodes")["nodes"]:
            self.assertEqual(node["url"], "")

    def test_output_is_in_the_shared_directory_and_the_node_has_a_directory_of_its_own(self):
        cluster = self.cluster
        script = 'echo out; echo err >&2; touch "$HAKURIVER_LOCAL_TEMP_DIR/mine" "$HAKURIVER_SHARED_DIR/ours"'
        task = cluster.submit("--wait", "--target", "node1", "--", "sh", "-c", script)
        self.assertEqual((cluster.shared / "task_outputs" / f"{task}.out").read_text(), "out\n")
        self.assertEqual((cluster.shared / "task_errors" / f"{task}.err").read_text(), "err\n")
        self.assertTrue((cluster.home / "runner-node1" / "tmp" / "mine").exists())
        self.assertTrue((cluster.shared / "ours").exists())

    def test_the_token_is_in_no_log_and_no_argv(self):
        cluster = self.cluster
        token = (cluster.home / "token").read_text().strip()
        cluster.client("--wait", "--", "env", check=0)
        for log in cluster.home.glob("*.log"):
            self.assertNotIn(token, log.read_text(errors="replace"))
        for output in (cluster.shared / "task_outputs").iterdir():
            self.assertNotIn(token, output.read_text())
        for program in (cluster.host, *cluster.runners.values()):
            for name in ("cmdline", "environ"):
                self.assertNotIn(token.encode(), pathlib.Path(f"/proc/{program.process.pid}/{name}").read_bytes())


class Starting(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(PROGRAMS, nodes=())
        self.addCleanup(self.cluster.close)

    def run_program(self, name, *words, **variables):
        variables.setdefault("HAKURIVER_NETWORK_HOST_PORT", "0" if name == "hakuriver.host" else "1")
        return subprocess.run([PROGRAMS / name, *words], env=self.cluster.environment(**variables), check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

    def test_a_runner_that_is_first_waits_for_its_host(self):
        cluster = self.cluster
        cluster.start()
        cluster.host.stop()
        cluster.start_runner("early")
        cluster.runners["early"].wait_for_line("looks for the host")
        cluster.start_host()
        cluster.wait_for_nodes(["early"])

    def test_many_runners_on_one_machine(self):
        cluster = self.cluster
        cluster.start()
        names = [f"n{i}" for i in range(10)]
        for name in names:
            cluster.start_runner(name)
        seen = set()

        def all_are_there():
            for node in cluster.json("--list-nodes")["nodes"]:
                self.assertTrue(node["numa_topology"], node)  # from the first answer that has the node
                seen.add(node["hostname"])
            return seen == set(names)

        cluster.wait_until(all_are_there, "ten nodes")
        targets = " --target ".join(["", *names]).split()
        tasks = cluster.client("--wait", *targets, "--", "true", check=0).stdout.split()
        self.assertEqual([cluster.status(task)["assigned_node"] for task in tasks], names)

    def test_a_node_is_called_as_its_machine_unless_told(self):
        cluster = self.cluster
        cluster.start()
        runner = subprocess.Popen([PROGRAMS / "hakuriver.runner"], env=cluster.environment(), stderr=subprocess.DEVNULL)
        self.addCleanup(runner.wait)
        self.addCleanup(runner.terminate)
        cluster.wait_for_nodes([socket.gethostname()])

    def test_a_runner_with_a_port_answers_reads_there(self):
        cluster = self.cluster
        cluster.start()
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        text = (cluster.home / "config.toml").read_text()
        (cluster.home / "config.toml").write_text(text.replace("[network]\n", f"[network]\nrunner_port = {port}\n"))
        cluster.start_runner("reads")
        cluster.wait_for_nodes(["reads"])
        url = cluster.json("--list-nodes")["nodes"][0]["url"]
        self.assertEqual(url, f"http://127.0.0.1:{port}")
        token = (cluster.home / "token").read_text().strip()
        ask = urllib.request.Request(f"{url}/health", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(ask, timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/health", timeout=10)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()

    def test_what_is_missing_is_one_line_with_its_key_and_path(self):
        for name, variable, words in (
                ("hakuriver.host", "HAKURIVER_PATHS_SHARED_DIR=/nope", "shared_dir: '/nope'"),
                ("hakuriver.host", "HAKURIVER_DATABASE_DB_FILE=/nope/x.db", "db_file: '/nope'"),
                ("hakuriver.host", "HAKURIVER_PATHS_HOST_LOG_FILE=/nope/x", "host_log_file: "),
                ("hakuriver.host", "HAKURIVER_SECURITY_TLS_KEY=/x", "tls_key"),
                ("hakuriver.runner", "HAKURIVER_PATHS_SHARED_DIR=/nope", "shared_dir: '/nope'"),
                ("hakuriver.runner", "HAKURIVER_PATHS_LOCAL_TEMP_DIR=/nope/x", "local_temp_dir: '/nope/x'"),
                ("hakuriver.runner", "HAKURIVER_PATHS_RUNNER_LOG_FILE=/nope/x", "runner_log_file: "),
                ("hakuriver.runner", "HAKURIVER_RUNNER_LAUNCHER=docker", "launcher 'docker'"),
                ("hakuriver.host", "HAKURIVER_NETWORK_HOST_BIND_IP=203.0.113.7", "203.0.113.7")):
            with self.subTest(variable):
                done = self.run_program(name, **dict([variable.split("=", 1)]))
                self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1), done.stderr)
                self.assertIn(words, done.stderr)
                self.assertFalse("NETWORK" not in variable and (self.cluster.home / "hakuriver.db").exists())

    def test_log_files_of_the_configuration(self):
        cluster = self.cluster
        host_log, runner_log = cluster.home / "the-host.log", cluster.home / "the-runner.log"
        write_config = cluster.write_config

        def with_logs():
            write_config()
            with open(cluster.home / "config.toml", "r+") as file:
                text = file.read().replace("[paths]\n", f'[paths]\nhost_log_file = "{host_log}"\n'
                                           f'runner_log_file = "{runner_log}"\n')
                file.seek(0)
                file.write(text)

        cluster.start()
        cluster.host.stop()
        cluster.write_config = with_logs
        with_logs()
        host = subprocess.Popen([PROGRAMS / "hakuriver.host"], env=cluster.environment(), stderr=subprocess.PIPE)
        self.addCleanup(host.stderr.close)
        self.addCleanup(host.wait)
        self.addCleanup(host.terminate)
        cluster.wait_until(lambda: host_log.exists() and f"listening on 127.0.0.1:{cluster.port}" in host_log.read_text(),
                           "the host's log file")
        cluster.start_runner("logs")
        cluster.wait_for_nodes(["logs"])
        self.assertIn("registered as 'logs'", runner_log.read_text())
        self.assertEqual(cluster.runners["logs"].log.read_text(), "")

    def test_help_begins_with_examples_and_fits_a_terminal(self):
        for name in ("hakuriver.host", "hakuriver.runner", "hakuriver.client", "hakuriver.init", "hakuriver.docker",
                     "hakuriver.docker-shell"):
            with self.subTest(name):
                help_text = self.run_program(name, "--help").stdout
                self.assertTrue(help_text.startswith("Examples:\n"), help_text)
                self.assertEqual([line for line in help_text.splitlines() if len(line) > 80], [])
                self.assertRegex(self.run_program(name, "--version").stdout, rf"\A{name} \d+\.\d+\.\d+\n\Z")

    def test_a_token_that_is_no_token_is_one_line_that_names_its_file(self):
        self.cluster.start()
        file = self.cluster.home / "token"
        token = file.read_text()
        for text, mode in (("", 0o600), ("x" * 64, 0o600), (token * 2, 0o600), ("\x1b[31m\n\0", 0o600), (token, 0o644)):
            file.write_text(text)
            file.chmod(mode)
            for name, words in (("hakuriver.client", ["--list-nodes"]), ("hakuriver.runner", ["--name", "x"])):
                done = self.run_program(name, *words, HAKURIVER_NETWORK_HOST_PORT=str(self.cluster.port))
                self.assertIn(done.returncode, (2, 4), (text, done))
                self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 1), (text, done))
                self.assertIn(str(file), done.stderr)
                self.assertNotIn("\x1b", done.stderr)
        file.write_text("0" * 64)
        file.chmod(0o600)
        self.assertEqual(self.cluster.client("--list-nodes", check=4).stderr.count("\n"), 1)
        file.write_text(token)

    @unittest.skipUnless(own_address(), "this machine has a loopback address only")
    def test_an_address_of_this_machine_is_listened_on_without_a_further_key(self):
        cluster = self.cluster
        cluster.start()
        cluster.host.stop()
        text = (cluster.home / "config.toml").read_text()
        text = text.replace("[network]\n", f'[network]\nhost_reachable_address = "{own_address()}"\n')
        (cluster.home / "config.toml").write_text(text + '[environment]\nrunner_user = "root"\n'
                                                  if os.geteuid() == 0 else text)
        cluster.write_config = lambda: None
        cluster.start_host()
        cluster.start_runner("near")
        cluster.runners["near"].wait_for_line(rf"host at http://{own_address()}:")
        cluster.wait_for_nodes(["near"])
        cluster.client("--wait", "--target", "near", "--", "true", check=0)
        cluster.client("--host", f"http://127.0.0.1:{cluster.port}", "--list-nodes", check=0)
        (cluster.home / "token").rename(cluster.home / "kept")
        self.assertEqual(cluster.client("--list-nodes").returncode, 4)
        (cluster.home / "kept").rename(cluster.home / "token")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
