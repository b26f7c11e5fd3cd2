"""What tasks bring to a node and what stays of it, with real docker daemons, podman and a registry: docker_images.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import os
import shutil
import socket
import subprocess
import unittest

import docker_cluster
from cluster import PATIENCE, Program
from docker_cluster import BESIDE_NO_DAEMON, PROGRAMS, CommandCluster, DockerCase, DockerCluster, make_client
from docker_engine import PodmanEngine, reason_to_skip_podman

# docker-registry takes bcrypt only: "reader", whose password is "secret".
HTPASSWD = "reader:$2b$05$YmfvsngFO4W/jgvu/Oolbu2AL1cHpHX6.Ej6tA5sHRxeYD5q7a2aa\n"


class Registry:
    """On a port of its own, for whoever knows a password; everything below one directory."""

    def __init__(self, home):
        self.home = home
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        (home / "htpasswd").write_text(HTPASSWD)
        (home / "registry.yml").write_text(
            f"version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {home}/registry\nhttp:\n  addr: {self.address}\n"
            f"auth:\n  htpasswd:\n    realm: lab\n    path: {home}/htpasswd\n")
        self.program = Program(["docker-registry", "serve", home / "registry.yml"], {"PATH": os.environ["PATH"]},
                               home / "registry.log", "/tmp")

    def wait(self):
        self.program.wait_for_line("listening on")

    def image(self, name):
        return f"{self.address}/{name}"


class Images(DockerCase):
    """What holds for every kind of engine. Its images are those that the tests bring."""

    IMAGES = {}

    def end(self, task):
        """Its record."""
        self.cluster.wait_for_status(task, "completed", "failed", "killed")
        return self.cluster.status(task)

    def output(self, task):
        status = self.end(task)
        self.assertEqual(status["status"], "completed", status["error_message"])
        return self.cluster.client("--stdout", task, check=0).stdout

    def put_packages(self, name, versions):
        """What each of them holds is its /etc/os-release; the node has none of them then."""
        packages = self.cluster.shared / "hakuriver-containers"
        for version in versions:
            image = f"hakuriver/{name}:{version}"
            self.engine.import_image(image)
            self.engine.docker("save", "--output", str(packages / f"{name}-{version}.tar"), image)
            self.engine.docker("image", "rm", image)

    def versions(self, name):
        """Those that the node has."""
        listed = self.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
        return {each.rsplit(":", 1)[1] for each in listed if each.rsplit(":", 1)[0].endswith(f"hakuriver/{name}")}

    def use(self, name, version):
        task = self.cluster.submit("--container", f"{name}@{version}", "--", "cat", "/etc/os-release")
        self.assertEqual(self.output(task), f'NAME="hakuriver/{name}:{version}"\n')

    def check_versions(self, *kept):
        """That superseded ones go when another one is loaded, but no others and nothing that is used. `kept`: what is left
        of versions 1 to 5, the current one, after each of five tasks."""
        self.put_packages("ver", range(1, 6))
        for other in ("hakuriver/ver:base", "hakuriver/other:1", "mine/ver:1", "localhost:5000/hakuriver/far:1"):
            self.engine.import_image(other)
        for version, left in zip((1, 2, 3, 5, 3), kept, strict=True):
            self.use("ver", version)
            self.assertEqual(self.versions("ver"), {"base", *left}, version)
        user = self.cluster.submit("--container", "ver@3", "--", "sleep", "1000")
        self.cluster.wait_for_status(user, "running")
        self.cluster.wait_until(self.engine.names, "its container")
        self.use("ver", 4)
        self.assertEqual(self.versions("ver"), {"base", "3", "4", "5"})
        self.assertEqual(self.cluster.status(user)["status"], "running")
        self.cluster.client("--kill", user, check=0)
        self.cluster.wait_for_status(user, "killed")
        self.cluster.wait_until(lambda: not self.engine.names(), "the end of its container")
        self.use("ver", 1)
        self.assertEqual(self.versions("ver"), {"base", "1", "5"})
        self.assertEqual((self.versions("other"), self.versions("far")), ({"1"}, {"1"}))
        self.assertIn("mine/ver:1", self.engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout)

    def volumes(self):
        return self.engine.docker("volume", "ls", "--quiet").stdout.split()

    def check_volumes(self):
        """That those of a task's container go with it."""
        self.engine.import_image("hakuriver/volume:base", "VOLUME /data /more")
        task = self.cluster.submit("--container", "volume", "--", "sh", "-c",
                                   "echo written > /data/x && cat /data/x && until test -e go; do sleep 0.1; done")
        self.cluster.wait_until(lambda: "written" in self.cluster.client("--stdout", task).stdout, "its output")
        self.assertEqual(len(self.volumes()), 2)
        (self.cluster.shared / "go").write_text("")
        self.assertEqual(self.output(task), "written\n")
        self.cluster.wait_until(lambda: not self.volumes(), "the end of its volumes")


class LoggedIn(DockerCluster):
    """Its runner is told where its logins are."""

    def environment(self, **more):
        return super().environment(DOCKER_CONFIG=str(self.home / "logins"), **more)


class ByDaemon(Images):
    @classmethod
    def make_cluster(cls):
        return LoggedIn(cls.engine)

    def program(self, *words, check=0):
        done = subprocess.run([PROGRAMS / "hakuriver.docker", *words], env=self.cluster.environment(), check=False,
                              capture_output=True, text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, check, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def test_volumes_of_an_image_go_with_a_tasks_container(self):
        self.check_volumes()

    def test_superseded_versions_go(self):
        self.check_versions("1", "12", "23", "35", "35")

    def test_tasks_of_many_versions_at_once_all_run(self):
        self.put_packages("mix", range(1, 5))
        tasks = [(turn % 4 + 1, self.cluster.submit("--container", f"mix@{turn % 4 + 1}", "--", "cat", "/etc/os-release"))
                 for turn in range(12)]
        self.assertEqual([self.output(task) for _, task in tasks], [f'NAME="hakuriver/mix:{version}"\n' for version, _ in tasks])

    def test_volumes_of_an_image_go_with_an_environments_container(self):
        self.engine.import_image("kept:1", "VOLUME /data")
        self.program("create", "kept:1", "kept")
        self.program("shell", "kept", "--", "sh", "-c", "echo x > /data/x")
        self.assertEqual(len(self.volumes()), 1)
        self.program("delete", "kept")
        self.assertEqual(self.volumes(), [])
        empty = self.cluster.home / "empty.tar"
        subprocess.run(["tar", "-cf", empty, "-T", "/dev/null"], check=True)
        self.engine.docker("import", "--change", "VOLUME /data", str(empty), "none:1")
        self.program("create", "none:1", "none", check=1)
        self.assertEqual(self.volumes(), [])

    def docker(self, *words):
        """As the runner's user."""
        subprocess.run(["docker", *words], env=self.cluster.environment(), check=True, capture_output=True, timeout=PATIENCE,
                       stdin=subprocess.DEVNULL)

    def test_an_image_of_a_registry_that_wants_a_login(self):
        if shutil.which("docker-registry") is None:
            docker_cluster.skip("docker-registry is not installed")
        registry = Registry(self.cluster.home)
        self.addCleanup(registry.program.stop)
        registry.wait()
        image = registry.image("box:1")
        self.engine.import_image(image)
        login = ("login", "--username", "reader", "--password", "secret", registry.address)
        self.docker(*login)
        self.docker("push", image)
        self.docker("image", "rm", image)
        self.docker("logout", registry.address)
        status = self.end(self.cluster.submit("--container", image, "--", "true"))
        self.assertEqual((status["status"], status["exit_code"]), ("failed", 126))
        reason = status["error_message"]
        self.assertIn(f"image '{image}': ", reason)
        self.assertIn("no basic auth credentials", reason)
        self.assertIn(f"user 'root' must `docker login {registry.address}` on this node", reason)
        self.docker(*login)
        own = ("--env", "DOCKER_CONFIG=/nowhere", "--env", "HOME=/nowhere", "--env", "PATH=/bin:/nowhere")
        tasks = [self.cluster.submit("--container", image, *own, "--", "sh", "-c", "echo $DOCKER_CONFIG") for _ in range(4)]
        self.assertEqual([self.output(task) for task in tasks], ["/nowhere\n"] * 4)
        absent = registry.image("box:2")
        status = self.end(self.cluster.submit("--container", absent, "--", "true"))
        self.assertEqual((status["status"], status["exit_code"]), ("failed", 126))
        self.assertIn(f"image '{absent}': ", status["error_message"])
        self.assertNotIn("docker login", status["error_message"])


@BESIDE_NO_DAEMON
class ByPodman(Images):
    @classmethod
    def make_engine(cls):
        reason = reason_to_skip_podman()
        if reason:
            docker_cluster.skip(reason)
        return PodmanEngine()

    @classmethod
    def make_cluster(cls):
        return CommandCluster(cls.engine)

    def test_volumes_of_an_image_go_with_a_tasks_container(self):
        self.check_volumes()

    def test_superseded_versions_go(self):
        self.check_versions("1", "12", "23", "35", "35")


@BESIDE_NO_DAEMON
class ByCommand(Images):
    @classmethod
    def make_cluster(cls):
        make_client(cls.engine)
        return CommandCluster(cls.engine, "keep_versions = 1")

    def test_superseded_versions_go(self):
        self.check_versions("1", "2", "3", "5", "35")


if __name__ == "__main__":
    docker_cluster.main()
