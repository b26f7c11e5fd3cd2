"""Tasks in containers where the engine's socket cannot be reached, only a client program: docker_commands.py PROGRAMS

Where docker, or podman and its init catatonit, cannot be had, the reason is said. With HAKURIVER_NO_SKIP in the
environment that is a failure.
"""

import unittest

import docker_cluster
from docker_cluster import BESIDE_NO_DAEMON, BOX, CommandCluster, DockerCase, make_client
from docker_engine import PodmanEngine, reason_to_skip_podman


class CommandCase(DockerCase):
    @classmethod
    def make_cluster(cls):
        return CommandCluster(cls.engine)


@BESIDE_NO_DAEMON
class ByDocker(CommandCase):
    @classmethod
    def make_cluster(cls):
        make_client(cls.engine)
        return super().make_cluster()

    def test_a_task_by_the_client_program(self):
        task = self.cluster.client("--wait", "--container", "box", "--env", "A=b c", "--env", "HOME=/of/task", "--",
                                   "sh", "-c", 'echo "$A $HOME"; exit 3').stdout.strip()
        self.assertEqual(self.cluster.status(task)["exit_code"], 3)
        self.assertEqual(self.cluster.client("--stdout", task, check=0).stdout, "b c /of/task\n")
        self.assertEqual(self.engine.names(), set())

    def test_pause_and_kill_by_the_client_program(self):
        task = self.cluster.submit(*BOX, "sleep", "1000")
        self.cluster.inspect(task)
        self.cluster.wait_for_status(task, "running")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertEqual(self.engine.names(), set())


@BESIDE_NO_DAEMON
class ByPodman(CommandCase):
    @classmethod
    def make_engine(cls):
        reason = reason_to_skip_podman()
        if reason:
            docker_cluster.skip(reason)
        return PodmanEngine()

    def test_a_task_by_podman(self):
        task = self.cluster.client("--wait", "--container", "box", "--env", "A=b c", "--env", "LINES=a\nb", "--",
                                   "sh", "-c", 'echo "$A $LINES"; exit 3').stdout.strip()
        status = self.cluster.status(task)
        self.assertEqual(status["exit_code"], 3, status["error_message"])
        self.assertEqual(self.cluster.client("--stdout", task, check=0).stdout, "b c a\nb\n")
        self.cluster.wait_until(lambda: not self.engine.names(), "nothing left behind")

    def test_pause_and_kill_by_podman(self):
        task = self.cluster.submit(*BOX, "sleep", "1000")
        self.cluster.wait_for_status(task, "running")
        self.cluster.wait_until(lambda: self.engine.names(), "its container")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.cluster.wait_until(lambda: not self.engine.names(), "nothing left behind")


if __name__ == "__main__":
    docker_cluster.main()
