"""Two systemd nodes with addresses of their own under one host: two_nodes.py PROGRAMS

The host runs on this machine, the runners in the nodes. Nodes are cut off and come back, and are killed.
"""

import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lab
from cluster import Program, PATIENCE
from node import LabNode

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
HOME = "/var/lib/hakuriver"  # in the nodes


class LabCluster:
    """A host of this machine on the bridge, and nodes whose runners systemd keeps."""

    def __init__(self, names):
        self.home = lab.DIRECTORY / "cluster"
        self.shared = lab.DIRECTORY / "shared"
        self.nodes = {name: LabNode(name, f"10.77.0.{11 + index}", programs=PROGRAMS)
                      for index, name in enumerate(names)}
        self.port = 0
        self.host = None

    def environment(self):
        return {"PATH": f"{PROGRAMS}:/usr/bin:/bin", "HOME": str(self.home), "HAKURIVER_HOME": str(self.home)}

    def config(self, shared):
        return (f'[network]\nhost_bind_ip = "{lab.ADDRESS}"\nhost_reachable_address = "{lab.ADDRESS}"\n'
                f'host_port = {self.port}\n[paths]\nshared_dir = "{shared}"\n'
                '[environment]\nrunner_user = "root"\n[runner]\ncores = 4\nmemory = "1G"\n'
                "[timing]\nkill_grace = 2\nheartbeat_interval = 0.5\nheartbeat_timeout_factor = 6\n")

    def start(self):
        self.home.mkdir()
        self.shared.mkdir()
        self.start_host()
        for node in self.nodes.values():
            node.start()
            node.write(f"{HOME}/config.toml", self.config("/shared"))
            node.write(f"{HOME}/token", (self.home / "token").read_text(), 0o600)
            node.check(["hakuriver.init", "service", "--runner", "--enable"], environment={"HAKURIVER_HOME": HOME})
        self.wait_for_nodes("online")

    def start_host(self):
        """On the port of the first time, from the second time on."""
        (self.home / "config.toml").write_text(self.config(self.shared))
        if not self.port:
            subprocess.run([PROGRAMS / "hakuriver.init"], env=self.environment(), check=True, capture_output=True)
        self.host = Program([PROGRAMS / "hakuriver.host"], self.environment(), self.home / f"host-{self.port}.log",
                            self.home)
        self.port = int(self.host.wait_for_line(r"listening on \S+:(\d+)").group(1))
        (self.home / "config.toml").write_text(self.config(self.shared))

    def close(self):
        for node in self.nodes.values():
            node.kill()
        if self.host:
            self.host.stop()

    def client(self, *words, check=None):
        done = subprocess.run([PROGRAMS / "hakuriver.client", *words], env=self.environment(),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
        if check is not None and done.returncode != check:
            raise AssertionError(f"{words}: exit {done.returncode}, not {check}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *words):
        return json.loads(self.client(*words, "--output", "json", check=0).stdout)

    def submit(self, *words):
        """The ids, one for each target."""
        return self.client(*words, check=0).stdout.split()

    def status(self, task):
        return self.json("--status", task)

    def wait_until(self, holds, what):
        node = next(iter(self.nodes.values()))
        node.wait_until(holds, f"{what}\n{self.host.log.read_text(errors='replace')[-3000:]}\n" + "\n".join(
            other.run(["journalctl", "--no-pager", "-n", "30", "-u", "hakuriver-runner"]).out
            for other in self.nodes.values() if other.pid1))

    def wait_for_status(self, task, status):
        self.wait_until(lambda: self.status(task)["status"] == status, f"task {task} {status}")

    def wait_for_nodes(self, status, names=None):
        def holds():
            listed = {node["hostname"]: node["status"] for node in self.json("--list-nodes")["nodes"]}
            return all(listed.get(name) == status for name in names or self.nodes)

        self.wait_until(holds, f"{names or 'all nodes'} {status}")


class TwoNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = LabCluster(["left", "right"])
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def begin(self, node, gate, code):
        """A task that runs until the gate is there."""
        [task] = self.cluster.submit("--target", node, "--cores", "0.1", "--", "sh", "-c",
                                     f"echo begun; until test -e {gate}; do sleep 0.05; done; echo ended; exit {code}")
        self.cluster.wait_for_status(task, "running")
        return task

    def test_both_take_tasks_each_in_its_own_world(self):
        tasks = self.cluster.submit("--target", "left", "--target", "right", "--", "hostname")
        self.assertEqual(len(tasks), 2)
        for task, name in zip(tasks, ["left", "right"]):
            self.cluster.wait_for_status(task, "completed")
            self.assertEqual(self.cluster.client("--stdout", task).stdout, f"{name}\n")
        nodes = self.cluster.json("--list-nodes")["nodes"]
        self.assertLessEqual({"cores", "memory"}, set(nodes[0]["enforced"]), nodes[0])

    def test_what_fits_nowhere_on_one_node_goes_to_the_other(self):
        gate = self.cluster.shared / "full"
        [first] = self.cluster.submit("--cores", "3", "--", "sh", "-c", "until test -e full; do sleep 0.05; done")
        [second] = self.cluster.submit("--cores", "3", "--", "sh", "-c", "until test -e full; do sleep 0.05; done")
        for task in (first, second):
            self.cluster.wait_for_status(task, "running")
        used = {self.cluster.status(task)["assigned_node"] for task in (first, second)}
        gate.touch()
        self.assertEqual(used, {"left", "right"})
        for task in (first, second):
            self.cluster.wait_for_status(task, "completed")

    def test_a_node_that_is_cut_off_and_back_has_lost_nothing(self):
        over = [self.begin("left", "over", code) for code in (0, 3)]
        still = self.begin("left", "still", 4)
        other = self.begin("right", "other", 5)
        left = self.cluster.nodes["left"]
        left.cut()
        self.cluster.wait_for_nodes("offline", ["left"])
        for task in (*over, still):
            self.cluster.wait_for_status(task, "lost")
        self.assertEqual(self.cluster.status(other)["status"], "running")
        # The shared directory is not cut off: some end while nobody can hear it.
        (self.cluster.shared / "over").touch()
        left.wait_until(lambda: left.run(["pgrep", "-f", "test -e over"]).status == 1, "two ends in silence")
        left.join()
        self.cluster.wait_for_nodes("online", ["left"])
        self.cluster.wait_for_status(still, "running")
        for name in ("still", "other"):
            (self.cluster.shared / name).touch()
        for task, code in zip([*over, still, other], (0, 3, 4, 5)):
            self.assertEqual(self.cluster.client("--wait-for", task).returncode, code)
            self.assertEqual(self.cluster.client("--stdout", task).stdout, "begun\nended\n")
            self.assertEqual(self.cluster.status(task)["attempt"], 1)

    def test_a_kill_that_a_cut_node_could_not_hear_is_remembered(self):
        task = self.begin("right", "never", 0)
        right = self.cluster.nodes["right"]
        right.cut()
        self.cluster.wait_for_status(task, "lost")
        self.cluster.client("--kill", task)
        right.join()
        self.cluster.wait_for_status(task, "killed")
        self.assertEqual(right.run(["pgrep", "-f", "test -e never"]).status, 1)

    def test_a_killed_nodes_tasks_fail_when_it_has_booted_again(self):
        task = self.begin("right", "never", 0)
        other = self.begin("left", "meanwhile", 6)
        right = self.cluster.nodes["right"]
        right.kill()
        self.cluster.wait_for_status(task, "lost")
        right.start()
        self.cluster.wait_for_nodes("online", ["right"])
        self.cluster.wait_for_status(task, "failed")
        self.assertIn("restarted", self.cluster.status(task)["error_message"])
        (self.cluster.shared / "meanwhile").touch()
        self.assertEqual(self.cluster.client("--wait-for", other).returncode, 6)

    def test_host_and_both_runners_restart_while_tasks_run(self):
        tasks = {self.begin(name, "restarts", code): code for code, name in enumerate(["left", "right"] * 2)}
        self.cluster.host.stop(9)
        for node in self.cluster.nodes.values():
            node.check(["systemctl", "restart", "hakuriver-runner"])
        self.cluster.start_host()
        self.cluster.wait_for_nodes("online")
        for task in tasks:
            self.cluster.wait_for_status(task, "running")
        (self.cluster.shared / "restarts").touch()
        for task, code in tasks.items():
            self.assertEqual(self.cluster.client("--wait-for", task).returncode, code)


if __name__ == "__main__":
    lab.enter()
    unittest.main(argv=sys.argv[:1], verbosity=2)
