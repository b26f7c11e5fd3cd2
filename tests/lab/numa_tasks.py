"""Tasks on NUMA nodes and in cgroups of version 2: numa_tasks.py PROGRAMS, on a machine that has both"""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import Cluster

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
# Of the process itself, in the only hierarchy.
OWN_CGROUP = "/sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)"


class NumaCluster(Cluster):
    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER="cgroup", **more)

    def output_of(self, *words):
        """What a task wrote that ended well."""
        task = self.client("--wait", *words, check=0).stdout.strip()
        return self.client("--stdout", task, check=0).stdout


class Numa(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = NumaCluster(PROGRAMS, cores=4, memory="1G")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def test_the_record_knows_both_nodes_and_what_is_enforced(self):
        node = self.cluster.json("--list-nodes")["nodes"][0]
        self.assertEqual(node["launcher"], "cgroup")
        self.assertLessEqual({"cores", "memory", "numa"}, set(node["enforced"]))
        self.assertEqual(len(node["numa_topology"]), 2, node)

    def test_1_a_target_binds_processors_and_memory(self):
        self.bound()

    def test_2_without_numactl_the_runner_binds_by_itself(self):
        self.cluster.runners["node1"].stop()
        hidden = pathlib.Path("/usr/bin/numactl")
        shown = hidden.with_name("numactl-for-tasks")
        hidden.rename(shown)
        self.addCleanup(shown.rename, hidden)
        self.cluster.start_runner("node1")
        self.cluster.wait_for_nodes(["node1"])
        self.bound(str(shown))

    def bound(self, numactl="numactl"):
        for node, cpus in ((0, "0-1"), (1, "2-3")):
            lines = self.cluster.output_of("--target", f"node1:{node}", "--", "sh", "-c",
                                           f"{numactl} --show; grep Cpus_allowed_list /proc/self/status; "
                                           "cat /proc/self/numa_maps").splitlines()
            shown = dict(line.split(":", 1) for line in lines if ":" in line)
            self.assertEqual(shown["membind"].split(), [str(node)])
            self.assertEqual(shown["nodebind"].split(), [str(node)])
            self.assertEqual(shown["Cpus_allowed_list"].split(), [cpus])
            self.assertTrue(any(f" bind:{node} " in line for line in lines), lines)

    def test_limits_are_those_of_the_cgroup(self):
        limits = self.cluster.output_of("--cores", "0.5", "--memory", "96M", "--", "sh", "-c",
                                        f"cat {OWN_CGROUP}/cpu.max {OWN_CGROUP}/memory.max").split()
        self.assertEqual(int(limits[0]) * 2, int(limits[1]))
        self.assertEqual(int(limits[2]), 96 * 2**20)

    def test_memory_is_capped(self):
        done = self.cluster.client("--wait", "--memory", "32M", "--", "tail", "/dev/zero", check=137)
        task = self.cluster.json("--status", done.stdout.strip())
        self.assertEqual(task["status"], "killed_oom")
        self.assertIn("out of memory", task["error_message"])

    def test_a_quota_throttles_that_begins_with_the_program(self):
        task = self.cluster.submit("--cores", "0.05", "--", "sh", "-c", "while :; do :; done")
        self.cluster.wait_for_status(task, "running")
        stats = list(pathlib.Path("/sys/fs/cgroup").rglob(f"{task}.1/cpu.stat"))
        self.assertTrue(stats)

        def throttled():
            words = stats[0].read_text().split()
            return int(words[words.index("nr_throttled") + 1]) >= 3

        self.cluster.wait_until(throttled, "the quota throttles")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertEqual(list(pathlib.Path("/sys/fs/cgroup").rglob(f"{task}.1")), [])

    def test_pause_freezes_and_kill_reaches_a_hidden_daemon(self):
        hidden = self.cluster.shared / "hidden"
        task = self.cluster.submit("--", "sh", "-c", "(setsid env -i sh -c 'trap \"\" TERM; echo $$ >hidden; "
                                   "while :; do sleep 1; done' &); sleep 1000")
        self.cluster.wait_until(lambda: hidden.exists() and hidden.read_text().endswith("\n"), "the daemon")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        [events] = pathlib.Path("/sys/fs/cgroup").rglob(f"{task}.1/cgroup.events")
        self.assertIn("frozen 1", events.read_text())
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertFalse(os.path.exists(f"/proc/{int(hidden.read_text())}"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
