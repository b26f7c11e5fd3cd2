"""A docker daemon that is started after the runner, stopped and started again: docker_comes_and_goes.py PROGRAMS"""

import unittest

import docker_cluster
from docker_cluster import BOX, DockerCluster
from docker_engine import DockerEngine

NO_CONTAINERS = "the node offers no containers"


class ComesAndGoes(unittest.TestCase):
    def test_an_engine_that_comes_late_goes_and_returns(self):
        engine = DockerEngine()
        with DockerCluster(engine) as cluster:
            self.addCleanup(engine.close)
            gate = cluster.shared / "gate"
            other = cluster.submit("--", "sh", "-c", f"until test -e {gate}; do sleep 0.1; done; exit 5")
            cluster.wait_for_status(other, "running")
            self.refuses(cluster)

            engine.__enter__()
            engine.import_image("hakuriver/box:base")
            self.wait_for_containers(cluster, True)
            self.runs(cluster)

            cluster.client("--drain", "node1", check=0)
            early = cluster.submit(*BOX, "true")
            engine.stop()
            cluster.client("--undrain", "node1", check=0)  # as a rule before the node knows
            self.wait_for_containers(cluster, False)
            self.refuses(cluster)
            cluster.wait_for_status(early, "pending")

            engine.start_again()
            self.wait_for_containers(cluster, True)
            self.runs(cluster)
            cluster.wait_for_status(early, "completed")

            gate.touch()  # what ran meanwhile has never noticed
            cluster.wait_for_status(other, "failed")
            record = cluster.status(other)
            self.assertEqual((record["exit_code"], record["attempt"]), (5, 1), record)
            cluster.wait_until(lambda: not engine.names(), "nothing left behind")

    def refuses(self, cluster):
        refused = cluster.client(*BOX, "true")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn(NO_CONTAINERS, refused.stderr)

    def runs(self, cluster):
        task = cluster.client("--wait", *BOX, "cat", "/etc/os-release").stdout.strip()
        self.assertEqual(cluster.client("--stdout", task).stdout, 'NAME="hakuriver/box:base"\n')

    def wait_for_containers(self, cluster, wanted):
        def is_told():
            return [node["containers"] for node in cluster.json("--list-nodes")["nodes"]] == [wanted]
        cluster.wait_until(is_told, f"the node has containers: {wanted}")


if __name__ == "__main__":
    docker_cluster.main()
