"""A docker daemon that is started after the runner, stopped and started again: docker_comes_and_goes.py PROGRAMS"""

import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import Cluster
from docker_engine import DockerEngine, reason_to_skip

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
NO_CONTAINERS = "the node offers no containers"


class LateEngineCluster(Cluster):
    def __init__(self, engine):
        self.engine = engine
        super().__init__(PROGRAMS)

    def environment(self, **more):
        return super().environment(DOCKER_HOST=self.engine.host, **more)

    def wait_for_containers(self, wanted):
        def is_told():
            return [node["containers"] for node in self.json("--list-nodes")["nodes"]] == [wanted]
        self.wait_until(is_told, f"the node has containers: {wanted}")


class ComesAndGoes(unittest.TestCase):
    def test_an_engine_that_comes_late_goes_and_returns(self):
        engine = DockerEngine()
        with LateEngineCluster(engine) as cluster:
            self.addCleanup(engine.close)
            gate = cluster.shared / "gate"
            other = cluster.submit("--", "sh", "-c", f"until test -e {gate}; do sleep 0.1; done; exit 5")
            cluster.wait_for_status(other, "running")
            self.refuses(cluster)

            engine.__enter__()
            engine.import_image("hakuriver/box:base")
            cluster.wait_for_containers(True)
            self.runs(cluster)

            engine.stop()
            early = cluster.submit("--container", "box", "--", "true")  # before anybody knows
            cluster.wait_for_containers(False)
            self.refuses(cluster)
            self.assertEqual(cluster.status(early)["status"], "pending")

            engine.start_again()
            cluster.wait_for_containers(True)
            self.runs(cluster)
            cluster.wait_for_status(early, "completed")

            gate.touch()  # what ran meanwhile has never noticed
            cluster.wait_for_status(other, "failed")
            record = cluster.status(other)
            self.assertEqual((record["exit_code"], record["attempt"]), (5, 1), record)
            cluster.wait_until(lambda: not engine.names(), "nothing left behind")

    def refuses(self, cluster):
        refused = cluster.client("--container", "box", "--", "true", check=None)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(NO_CONTAINERS, refused.stderr)

    def runs(self, cluster):
        task = cluster.client("--wait", "--container", "box", "--", "cat", "/etc/os-release").stdout.strip()
        self.assertEqual(cluster.client("--stdout", task).stdout, 'NAME="hakuriver/box:base"\n')


if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    unittest.main(argv=sys.argv[:1], verbosity=2)
