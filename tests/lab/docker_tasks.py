"""Tasks in containers, with the real programs and a real docker daemon: docker_tasks.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import Cluster
from docker_engine import DockerEngine, PodmanEngine, reason_to_skip
from engine_proxy import EngineProxy

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
MIB = 2**20
GROUP = 47114  # of nobody
BOX = ("--container", "box", "--")


class DockerCluster(Cluster):
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


class Tasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = DockerEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.__enter__()
        cls.engine.import_image("hakuriver/box:base", "ENV PATH=/bin:/of/image", "ENV COLOUR=red")
        cls.engine.import_image("hakuriver/entry:base", 'ENTRYPOINT ["/bin/sh","-c","echo before; exec \\"$@\\"","--"]')
        groups = os.getgroups()
        os.setgroups(sorted({*groups, GROUP}))  # our programs have them, too
        cls.addClassCleanup(os.setgroups, groups)
        cls.cluster = DockerCluster(cls.engine)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def tearDown(self):
        self.cluster.wait_until(lambda: not self.engine.names(), "nothing left behind")

    def run_task(self, *words, options=("--container", "box")):
        """Its record, what it wrote, and what it wrote to stderr."""
        task = self.cluster.client("--wait", *options, "--", *words).stdout.strip()
        self.assertTrue(task.isdigit(), task)
        outputs = (self.cluster.client(which, task, check=0).stdout for which in ("--stdout", "--stderr"))
        return (self.cluster.status(task), *outputs)

    def test_an_image_a_world_and_its_variables(self):
        status, out, _ = self.run_task("sh", "-c", "cat /etc/os-release; env", options=(
            "--container", "box", "--env", "MODEL=a b", "--env", "DEBUG="))
        self.assertEqual((status["status"], status["exit_code"], status["container_name"]), ("completed", 0, "box"))
        lines = out.splitlines()
        self.assertEqual(lines[0], 'NAME="hakuriver/box:base"')
        for line in ("MODEL=a b", "DEBUG=", "COLOUR=red", "PATH=/bin:/of/image:/.hakuriver/bin",
                     f"HAKURIVER_TASK_ID={status['task_id']}", f"HAKURIVER_SHARED_DIR={self.cluster.shared}",
                     "HAKURIVER_LOCAL_TEMP_DIR=/local_temp"):
            self.assertIn(line, lines)
        self.assertFalse([line for line in lines if line.startswith(("LC_ALL=", "HAKURIVER_CONFIG=", "DOCKER_HOST="))])
        self.assertEqual((status["launcher"], set(status["enforced"]) >= {"cores", "memory"}), ("docker", True))
        self.assertGreater(status["cpu_microseconds"], 0)

    def test_what_a_task_sets_does_not_reach_the_programs_around_it(self):
        library = str(self.cluster.shared / "own.so")  # a loader that is told of it complains on the task's stderr
        status, out, err = self.run_task("sh", "-c", "echo $LD_PRELOAD $LD_LIBRARY_PATH", options=(
            "--container", "box", "--env", f"LD_PRELOAD={library}", "--env", "LD_LIBRARY_PATH=/own"))
        self.assertEqual((status["exit_code"], out, err), (0, f"{library} /own\n", ""), status["error_message"])

    def test_the_runners_groups(self):
        status, out, _ = self.run_task("id", "-G")
        self.assertEqual(status["exit_code"], 0, status["error_message"])
        self.assertIn(str(GROUP), out.split())

    def test_what_a_user_gets_wrong_is_no_fault_of_the_node(self):
        status, _, _ = self.run_task("true", options=("--container", "box", "--cwd", "/etc/os-release"))
        self.assertEqual((status["status"], status["exit_code"]), ("failed", 126), status["error_message"])
        self.assertIn("hakuriver/box:base", status["error_message"])
        status, _, _ = self.run_task("true", options=("--container", "box", "--cores", "0.001"))
        self.assertEqual((status["status"], status["exit_code"]), ("completed", 0), status["error_message"])

    def test_an_end_is_told_to_whoever_asks_again(self):
        status, _, _ = self.run_task("sh", "-c", "exit 3")
        files = self.cluster.files_of(status["task_id"])
        self.cluster.wait_until(lambda: not (files / "asked").exists(), "the attempt is finished")
        program = next(PROGRAMS.parent.glob("libexec/**/hakuriver-container"))
        words = [program, "--socket", "/no/such", "--name", files.name, "--owner", "x", "--state", files, "finish"]
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
        self.assertEqual(told.splitlines()[0], "exited 3")

    def test_files_are_the_same_as_on_the_node(self):
        (self.cluster.shared / "relative.txt").write_text("shared\n")
        (self.cluster.shared / "shared_data" / "script.sh").write_text("echo from script; echo x > /shared/results.csv\n")
        script = "cat relative.txt; sh /shared/script.sh; echo y > /local_temp/y; cat $HAKURIVER_SHARED_DIR/relative.txt; pwd"
        status, out, err = self.run_task("sh", "-c", script)
        self.assertEqual((status["exit_code"], err), (0, ""))
        self.assertEqual(out, f"shared\nfrom script\nshared\n{self.cluster.shared}\n")
        self.assertEqual((self.cluster.shared / "shared_data/results.csv").read_text(), "x\n")
        self.assertEqual((self.cluster.home / "runner-node1/tmp/y").read_text(), "y\n")

    def test_how_commands_end(self):
        rows = ((("sh", "-c", "exit 7"), "failed", 7), (("sh", "-c", "exit 137"), "failed", 137),
                (("sh", "-c", "kill -TERM $$"), "failed", None), (("nosuch",), "failed", 127),
                (("/etc/os-release",), "failed", 126), (("true",), "completed", 0))
        for words, state, code in rows:
            with self.subTest(words=words):
                status, _, err = self.run_task(*words)
                self.assertEqual(status["status"], state)
                if code is not None:
                    self.assertEqual(status["exit_code"], code)
                if code == 127:
                    self.assertIn("not found in the container", status["error_message"])

    def test_output_and_entrypoint(self):
        status, out, err = self.run_task("sh", "-c", "echo out; echo err >&2", options=("--container", "entry"))
        self.assertEqual((status["exit_code"], out, err), (0, "before\nout\n", "err\n"))

    def test_what_is_missing_is_named(self):
        status, _, _ = self.run_task("true", options=("--container", "box", "--mount", "/no/such:/data"))
        self.assertEqual((status["status"], status["exit_code"]), ("failed", 126))
        self.assertIn("'/no/such'", status["error_message"])
        status, _, _ = self.run_task("true", options=("--container", "absent"))
        self.assertEqual(status["status"], "failed")
        self.assertIn("hakuriver/absent:base", status["error_message"])

    def test_limits_rights_and_mounts(self):
        data = self.cluster.home / "data"
        data.mkdir()
        (data / "here").write_text("")
        task = self.cluster.submit("--container", "box", "--cores", "1.5", "--memory", "64M", "--mount",
                                   f"{data}:/container/data:ro", "--private-network", "--",
                                   "sh", "-c", "ls /container/data; touch /container/data/x; ls /sys/class/net; sleep 1000")
        self.cluster.wait_until(lambda: "lo\n" in self.cluster.client("--stdout", task).stdout, "its output")
        seen = self.cluster.inspect(task)
        limits = seen["HostConfig"]
        self.assertEqual((limits["NanoCpus"], limits["Memory"], limits["MemorySwap"]), (1_500_000_000, 64 * MIB, 64 * MIB))
        self.assertEqual((limits["Privileged"], limits["Init"], limits["NetworkMode"]), (False, True, "none"))
        self.assertEqual(limits["LogConfig"]["Type"], "none")
        self.assertEqual(self.cluster.client("--stdout", task).stdout, "here\nlo\n")
        self.assertIn("Read-only", self.cluster.client("--stderr", task).stdout)
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")

    def test_a_privileged_container_has_all_rights(self):
        probe = self.engine.docker("run", "--rm", "--privileged", "--network=none", "hakuriver/box:base", "true", check=False)
        if probe.returncode != 0:
            self.skipTest("the kernel gives nobody all rights here: " + probe.stderr.strip()[-120:])
        task = self.cluster.submit("--container", "box", "--privileged", "--", "sh", "-c",
                                   "grep CapEff /proc/self/status; sleep 1000")
        self.cluster.wait_until(lambda: "CapEff" in self.cluster.client("--stdout", task).stdout, "its output")
        self.assertTrue(self.cluster.inspect(task)["HostConfig"]["Privileged"])
        own = [line for line in pathlib.Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd")]
        self.assertEqual(self.cluster.client("--stdout", task).stdout.split()[1], own[0].split()[1])
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")

    def test_memory_that_runs_out(self):
        status, _, _ = self.run_task("sh", "-c", "dd if=/dev/zero of=/dev/null bs=100M count=1; exit 3",
                                     options=("--container", "box", "--memory", "32M"))
        self.assertEqual(status["status"], "killed_oom")
        self.assertIn("out of memory", status["error_message"])

    def test_pause_and_kill_reach_everything(self):
        script = "trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do :; done' &) ; echo up; while :; do sleep 1; done"
        task = self.cluster.submit(*BOX, "sh", "-c", script)
        self.cluster.wait_until(lambda: "up" in self.cluster.client("--stdout", task).stdout, "its output")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        self.assertEqual(self.cluster.inspect(task)["State"]["Status"], "paused")
        self.cluster.client("--resume", task, check=0)
        self.cluster.wait_for_status(task, "running")
        self.assertEqual(self.cluster.inspect(task)["State"]["Status"], "running")
        self.cluster.client("--pause", task, check=0)
        self.cluster.wait_for_status(task, "paused")
        self.cluster.client("--kill", task, check=0)
        self.cluster.wait_for_status(task, "killed")
        self.assertNotIn(f"hakuriver-task-{task}", self.engine.names())

    def test_hakurun_is_in_every_image(self):
        status, out, err = self.run_task("hakurun", "--parallel", "echo", "span:{1..3}", "span:[A,B]")
        self.assertEqual((status["exit_code"], sorted(out.splitlines())),
                         (0, ["1 A", "1 B", "2 A", "2 B", "3 A", "3 B"]), err)

    def test_many_at_once(self):
        done = self.cluster.client("--wait", "--output", "json", "--cores", "0", "--", "true", check=0)
        self.assertTrue(done.stdout)
        tasks = [self.cluster.submit("--cores", "0", *BOX, "sh", "-c", "echo $HAKURIVER_TASK_ID") for _ in range(12)]
        for task in tasks:
            self.cluster.wait_for_status(task, "completed")
            self.assertEqual(self.cluster.client("--stdout", task).stdout, task + "\n")

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

    def test_another_user_is_one_inside_too(self):
        self.cluster.home.chmod(0o755)
        nobody = pwd.getpwnam("nobody").pw_uid
        status, out, err = self.run_task("sh", "-c", "id -u; echo x > /shared/by_nobody; echo done > /dev/stderr",
                                         options=("--container", "box", "--user", "nobody"))
        self.assertEqual((status["exit_code"], out, err), (0, f"{nobody}\n", "done\n"), status["error_message"])
        self.assertEqual((self.cluster.shared / "shared_data/by_nobody").stat().st_uid, nobody)
        self.assertEqual(pathlib.Path(status["stdout_path"]).stat().st_uid, nobody)

    def test_only_a_container_has_rights_and_mounts(self):
        for option in (["--privileged"], ["--mount", "/a:/b"]):
            done = self.cluster.client(*option, "--container", "NULL", "--", "true", check=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Defaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = DockerEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.__enter__()
        cls.engine.import_image("hakuriver/box:base")
        cls.cluster = DockerCluster(cls.engine, 'default_container_name = "box"\nallow_privileged = false\n'
                                                'allow_mounts = ["/srv", "HOME/allowed"]\n'
                                                'additional_mounts = ["/usr:/of/node:ro"]')
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def output(self, *words):
        task = self.cluster.client("--wait", *words, check=0).stdout.strip()
        return self.cluster.client("--stdout", task, check=0).stdout

    def test_the_default_container_and_the_node_itself(self):
        self.assertEqual(self.output("--", "sh", "-c", "cat /etc/os-release; test -d /of/node/bin && echo mounted"),
                         'NAME="hakuriver/box:base"\nmounted\n')
        own = pathlib.Path("/etc/os-release").read_text()
        self.assertEqual(self.output("--container", "NULL", "--", "cat", "/etc/os-release"), own)

    def test_a_link_leads_out_of_nothing(self):
        allowed = self.cluster.home / "allowed"
        (allowed / "data").mkdir(parents=True)
        (allowed / "data/here").touch()
        (allowed / "within").symlink_to(allowed / "data")
        (allowed / "out").symlink_to("/etc")
        self.assertEqual(self.output("--mount", f"{allowed}/within:/d", "--", "ls", "/d"), "here\n")
        task = self.cluster.client("--wait", "--mount", f"{allowed}/out:/d", "--", "ls", "/d").stdout.strip()
        status = self.cluster.status(task)
        self.assertEqual((status["status"], status["exit_code"]), ("failed", 126))
        self.assertIn("allow_mounts", status["error_message"])

    def test_what_is_not_allowed_names_the_key(self):
        for option, key in ((["--privileged"], "allow_privileged"), (["--mount", "/etc:/b"], "allow_mounts"),
                            (["--mount", "/srv/../etc:/b"], "allow_mounts")):
            done = self.cluster.client(*option, "--", "true")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(key, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


class Faults(unittest.TestCase):
    """What gets lost between us and the daemon."""

    @classmethod
    def setUpClass(cls):
        cls.engine = DockerEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.__enter__()
        cls.engine.import_image("hakuriver/box:base")
        cls.proxy = EngineProxy(cls.engine.socket, cls.engine.home / "proxy.sock")
        cls.addClassCleanup(cls.proxy.close)
        cls.proxy.__enter__()
        cls.cluster = DockerCluster(cls.engine, 'allow_mounts = ["HOME/allowed"]', host=f"unix://{cls.proxy.path}")
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def tearDown(self):
        self.cluster.wait_until(lambda: not self.engine.names(), "nothing left behind")

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


class CommandCluster(DockerCluster):
    """Its runner finds no socket, only a client program."""

    def environment(self, **more):
        environment = super().environment(**more)
        del environment["DOCKER_HOST"]
        return environment | {"PATH": f"{self.engine.home}/bin:{environment['PATH']}"}


@unittest.skipIf(os.path.exists("/var/run/docker.sock"), "this machine has a daemon of its own, which would be asked")
class ByCommand(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = DockerEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.__enter__()
        cls.engine.import_image("hakuriver/box:base")
        client = cls.engine.home / "bin/docker"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("docker")} --host {cls.engine.host} "$@"\n')
        client.chmod(0o755)
        cls.cluster = CommandCluster(cls.engine)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

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


@unittest.skipIf(shutil.which("podman") is None or shutil.which("catatonit") is None, "podman and its init are not installed")
@unittest.skipIf(os.path.exists("/var/run/docker.sock"), "this machine has a daemon of its own, which would be asked")
class ByPodman(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.engine = PodmanEngine()
        cls.addClassCleanup(cls.engine.close)
        cls.engine.import_image("hakuriver/box:base")
        cls.cluster = CommandCluster(cls.engine)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

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
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    unittest.main(argv=sys.argv[:1] + sys.argv[2:], verbosity=2)
