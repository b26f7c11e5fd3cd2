"""What tests of tasks in containers stand on: a cluster whose nodes have a container engine of the test's own.

    class Tasks(DockerCase):           # its engine, cluster and images are there for all its tests
        def test_something(self):
            status, out, err = self.run_task("echo", "hello")

    docker_cluster.main()              # says why where no engine can be had; HAKURIVER_NO_SKIP makes that a failure
"""

import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import lab
from cluster import Cluster
from docker_engine import DockerEngine, reason_to_skip

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
BOX = ("--container", "box", "--")


class DockerCluster(Cluster):
    """`docker`: lines of the section [docker], where HOME is the cluster's own. `host`: of the engine."""

    def __init__(self, engine, docker="", host=None, **more):
        self.engine = engine
        self.docker = docker
        self.engine_host = host or engine.host
        super().__init__(PROGRAMS, **more)

    def environment(self, **more):
        return super().environment(DOCKER_HOST=self.engine_host, **more)

    def write_config(self):
        super().write_config()
        with open(self.home / "config.toml", "a", encoding="utf-8") as file:
            file.write("[docker]\n" + self.docker.replace("HOME", str(self.home)) + "\n")

    def files_of(self, task):
        """The directory of a task's first attempt on node1."""
        return next(self.home.glob("runner-node1/**/containers"), self.home / "none") / f"hakuriver-task-{task}"

    def inspect(self, task):
        """What the daemon has of a task's container, once it runs."""
        name, found = f"hakuriver-task-{task}", []

        def is_there():
            done = self.engine.docker("inspect", name, check=False)
            found[:] = json.loads(done.stdout) if done.returncode == 0 else []
            return found and found[0]["State"]["Status"] in ("running", "paused")

        self.wait_until(is_there, f"container {name}")
        return found[0]


class CommandCluster(DockerCluster):
    """Its runner finds no socket, only a client program."""

    def environment(self, **more):
        environment = super().environment(**more)
        del environment["DOCKER_HOST"]
        return environment | {"PATH": f"{self.engine.home}/bin:{environment['PATH']}"}


class DockerCase(unittest.TestCase):
    """One engine and one cluster for all tests of a class, none of which leaves a container behind."""

    IMAGES = {"hakuriver/box:base": ()}  # and what is changed of their configuration

    @classmethod
    def setUpClass(cls):
        cls.engine = cls.make_engine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.__enter__()
        cls.import_images()
        cls.cluster = cls.make_cluster()
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    @classmethod
    def make_engine(cls):
        return DockerEngine()

    @classmethod
    def import_images(cls):
        for name, changes in cls.IMAGES.items():
            cls.engine.import_image(name, *changes)

    @classmethod
    def make_cluster(cls):
        return DockerCluster(cls.engine)

    def tearDown(self):
        self.cluster.wait_until(lambda: not self.engine.names(), "nothing left behind")

    def run_task(self, *words, options=("--container", "box")):
        """Its record, what it wrote, and what it wrote to stderr."""
        task = self.cluster.client("--wait", *options, "--", *words).stdout.strip()
        self.assertTrue(task.isdigit(), task)
        outputs = (self.cluster.client(which, task, check=0).stdout for which in ("--stdout", "--stderr"))
        return (self.cluster.status(task), *outputs)


BESIDE_NO_DAEMON = unittest.skipIf(os.path.exists("/var/run/docker.sock"),
                                   "this machine has a daemon of its own, which would be asked")


def make_client(engine):
    """A `docker` in the engine's directory of programs that asks that engine's daemon."""
    client = engine.home / "bin/docker"
    client.parent.mkdir()
    client.write_text(f'#!/bin/sh\nexec {shutil.which("docker")} --host {engine.host} "$@"\n')
    client.chmod(0o755)


def skip(reason):
    """The test, or the class whose engine was to be made."""
    if "HAKURIVER_NO_SKIP" in os.environ:
        raise AssertionError(reason)
    raise unittest.SkipTest(reason)


def main():
    reason = reason_to_skip()
    if reason:
        lab.skip(reason)
    unittest.main(module="__main__", argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
