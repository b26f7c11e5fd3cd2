"""Private networks and process tables without systemd: private_tasks.py PROGRAMS

A runner that is not root, or may not make namespaces, offers none: then there is nothing to test. With HAKURIVER_NO_SKIP
in the environment that is a failure.
"""

import os
import pathlib
import sys
import unittest

from cluster import Cluster

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()


class PrivateCluster(Cluster):
    def __init__(self, launcher):
        super().__init__(PROGRAMS, cores=4, memory="1G")
        self.launcher = launcher

    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER=self.launcher, **more)


class Plain(unittest.TestCase):
    LAUNCHER = "plain"

    @classmethod
    def setUpClass(cls):
        cls.cluster = PrivateCluster(cls.LAUNCHER)
        cls.addClassCleanup(cls.cluster.close)
        try:
            cls.cluster.start()
        except RuntimeError as error:
            if f"launcher '{cls.LAUNCHER}'" not in str(error):
                raise
            cls.skip_or_fail(f"no launcher {cls.LAUNCHER} here")
        node = cls.cluster.json("--list-nodes")["nodes"][0]
        if not (node["private_network"] and node["private_pid"]):
            cls.skip_or_fail("this node has neither private networks nor private process tables")

    @classmethod
    def skip_or_fail(cls, reason):
        if "HAKURIVER_NO_SKIP" in os.environ:
            raise AssertionError(reason)
        raise unittest.SkipTest(reason)

    def wait(self, *words, check=0):
        task = self.cluster.submit("--private-network", "--private-pid", *words)
        self.cluster.client("--wait-for", task, check=check)
        return self.cluster.status(task), self.cluster.client("--stdout", task, check=0).stdout

    def test_what_is_seen_from_inside(self):
        text = "tail -n +3 /proc/net/dev | cut -d: -f1; ps -e -o pid= | head -1; pwd; exit 4"
        record, output = self.wait("--", "sh", "-c", text, check=4)
        self.assertEqual(output.split(), ["lo", "1", str(self.cluster.shared)])
        self.assertEqual(record["status"], "failed")

    def test_how_it_ends(self):
        self.assertEqual(self.wait("--", "true")[0]["status"], "completed")
        self.wait("--", "sh", "-c", "kill -TERM $$", check=143)
        self.assertIn("not found", self.wait("--", "not-there", check=127)[0]["error_message"])
        self.wait("--", "/etc", check=126)

    def test_kill_and_pause(self):
        task = self.cluster.submit("--private-pid", "--", "sh", "-c", "sleep 1000 & wait")
        self.cluster.wait_for_status(task, "running")
        for verb, status in (("--pause", "paused"), ("--resume", "running"), ("--kill", "killed")):
            self.cluster.client(verb, task, check=0)
            self.cluster.wait_for_status(task, status)


class Cgroup(Plain):
    LAUNCHER = "cgroup"


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
