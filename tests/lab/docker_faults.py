"""What happens to tasks in containers when something goes wrong around them: docker_faults.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import os
import pathlib
import signal
import subprocess

import docker_cluster
from docker_cluster import BOX, PROGRAMS, DockerCase, DockerCluster
from engine_proxy import EngineProxy


class Deaths(DockerCase):
    """Of runners, of whoever waits for a container, and of the whole machine."""

    def test_an_end_is_told_to_whoever_asks_again(self):
        status, _, _ = self.run_task("sh", "-c", "exit 3")
        files = self.cluster.files_of(status["task_id"])
        self.cluster.wait_until(lambda: not (files / "asked").exists(), "the attempt is finished")
        program = next(PROGRAMS.parent.glob("libexec/**/hakuriver-container"))
        words = [program, "--socket", "/no/such", "--name", files.name, "--owner", "x", "--state", files, "finish"]
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
        self.assertEqual(told.splitlines()[0], "exited 3")

    def test_a_runner_that_is_killed_adopts_its_containers(self):
        task = self.cluster.submit(*BOX, "sh", "-c", "while ! test -e go; do sleep 0.1; done; exit 5")
        self.cluster.wait_for_status(task, "running")
        self.cluster.inspect(task)
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        self.cluster.start_runner("node1")
        self.cluster.wait_for_nodes(["node1"])
        (self.cluster.shared / "go").touch()
        self.cluster.wait_for_status(task, "failed")
        self.assertEqual(self.cluster.status(task)["exit_code"], 5)

    def test_nothing_is_left_when_everything_is_killed(self):
        task = self.cluster.submit(*BOX, "sleep", "1000")
        self.cluster.wait_for_status(task, "running")
        self.cluster.inspect(task)
        self.cluster.runners["node1"].stop(signal.SIGKILL)
        home = str(self.cluster.home).encode()
        for name in (b"hakuriver-keeper", b"hakuriver-container"):  # in this order, or the keeper starts another
            for entry in pathlib.Path("/proc").glob("[0-9]*"):
                try:
                    words = (entry / "cmdline").read_bytes()
                    if home in words and words.split(b"\0")[0].endswith(name):
                        os.kill(int(entry.name), signal.SIGKILL)
                except OSError:  # it has ended
                    pass
        self.cluster.start_runner("node1")
        self.cluster.wait_for_nodes(["node1"])
        self.cluster.wait_until(lambda: self.cluster.status(task)["status"] not in ("running", "lost"), "its end")
        self.assertEqual(self.cluster.status(task)["status"], "failed")

    def test_what_the_machine_went_down_with_is_removed(self):
        task = self.cluster.submit(*BOX, "sleep", "1000")
        owner = self.cluster.inspect(task)["Config"]["Labels"]["hakuriver.owner"].split("/")[0]
        files = self.cluster.files_of(1)
        files.mkdir()
        (files / "pid").write_text("1 " + "0" * 32)  # of another boot
        self.engine.docker("create", "--network=none", "--name", files.name, "--label", f"hakuriver.owner={owner}/1/1",
                           "hakuriver/box:base", "true")
        self.run_task("true")
        self.assertEqual(self.engine.names(), {f"hakuriver-task-{task}"})
        self.assertFalse(files.exists())
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")

    def test_other_containers_are_left_alone(self):
        self.engine.docker("run", "-d", "--network=none", "--name", "mine", "hakuriver/box:base", "sleep", "1000")
        try:
            self.run_task("true")
            self.assertEqual(self.engine.names(), {"mine"})
        finally:
            self.engine.docker("rm", "-f", "mine")


class LostAnswers(DockerCase):
    """What gets lost between us and the daemon."""

    @classmethod
    def make_cluster(cls):
        cls.proxy = EngineProxy(cls.engine.socket, cls.engine.home / "proxy.sock")
        cls.addClassCleanup(cls.proxy.close)
        cls.proxy.__enter__()
        return DockerCluster(cls.engine, 'allow_mounts = ["HOME/allowed"]', host=f"unix://{cls.proxy.path}")

    def check_never_started(self, task):
        """The container of its first attempt was made and removed, as the daemon has it."""
        seen = []

        def is_gone():
            done = self.engine.docker("events", "--since", "1h", "--until", "0s", "--format", "{{.Action}}", "--filter",
                                      f"container=hakuriver-task-{task}")
            seen[:] = done.stdout.split()
            return "destroy" in seen

        self.cluster.wait_until(is_gone, "the container was removed")
        self.assertIn("create", seen)
        self.assertNotIn("start", seen)

    def is_finished(self, task):
        files = self.cluster.files_of(task)
        return (files / "end").exists() and not (files / "asked").exists()

    def starter(self, task):
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:  # it has ended
                continue
            if str(self.cluster.files_of(task)).encode() in words and b"run" in words:
                return int(entry.name)
        return None

    def test_a_start_whose_answer_is_lost_runs_once(self):
        self.proxy.lose("/start ")
        task = self.cluster.submit(*BOX, "sh", "-c", "echo once >> /shared/runs; exit 3")
        self.cluster.wait_for_status(task, "failed")
        self.assertEqual(self.cluster.status(task)["exit_code"], 3)
        self.assertEqual((self.cluster.shared / "shared_data/runs").read_text(), "once\n")

    def test_a_mount_that_is_exchanged_before_the_start(self):
        data = self.cluster.home / "allowed/data"
        data.mkdir(parents=True)
        held = self.proxy.hold("/start ")
        task = self.cluster.submit("--mount", f"{data}:/d", *BOX, "ls", "/d")
        held.wait()
        data.rename(self.cluster.home / "allowed/old")
        data.symlink_to("/etc")
        held.release()
        self.cluster.wait_for_status(task, "failed")
        status = self.cluster.status(task)
        self.assertEqual(status["exit_code"], 126, status["error_message"])
        self.assertIn("allow_mounts", status["error_message"])
        self.assertEqual(self.cluster.client("--stdout", task).stdout, "")

    def test_a_creation_whose_answer_is_lost_leaves_nothing(self):
        self.proxy.lose("/create")
        task = self.cluster.submit(*BOX, "sh", "-c", "echo once >> /shared/created; exit 3")
        self.cluster.wait_until(lambda: self.is_finished(task), "its first attempt is finished")
        self.check_never_started(task)
        self.cluster.client("--kill", task)  # it may be tried again
        self.cluster.wait_until(lambda: self.cluster.status(task)["status"] in ("failed", "killed"), "its end")

    def test_a_kill_during_the_creation_starts_nothing(self):
        held = self.proxy.hold("/create")
        task = self.cluster.submit(*BOX, "sleep", "1000")
        held.wait()
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_until(lambda: (self.cluster.files_of(task) / "cancelled").exists(), "the kill has come")
        held.release()
        self.cluster.wait_for_status(task, "killed")
        self.cluster.wait_until(lambda: self.is_finished(task), "it is finished")
        self.check_never_started(task)

    def test_a_creation_that_outlives_whoever_asked_is_removed(self):
        held = self.proxy.hold("/create")
        task = self.cluster.submit(*BOX, "sleep", "1000")
        held.wait()
        os.kill(self.starter(task), signal.SIGKILL)
        self.cluster.wait_until(lambda: self.starter(task) is None, "its end")
        self.assertFalse(self.is_finished(task))
        held.release()
        self.cluster.wait_until(lambda: self.is_finished(task), "it is finished")
        self.check_never_started(task)
        self.cluster.client("--kill", task)
        self.cluster.wait_until(lambda: self.cluster.status(task)["status"] in ("failed", "killed"), "its end")


if __name__ == "__main__":
    docker_cluster.main()
