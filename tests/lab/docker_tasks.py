"""Tasks in containers, with the real programs and a real docker daemon: docker_tasks.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import os
import pathlib
import pwd
import shlex

import docker_cluster
from docker_cluster import BOX, DockerCase, DockerCluster

MIB = 2**20
GROUP = 47114  # of nobody


class Tasks(DockerCase):
    IMAGES = {"hakuriver/box:base": ("ENV PATH=/bin:/of/image", "ENV COLOUR=red"),
              "hakuriver/entry:base": ('ENTRYPOINT ["/bin/sh","-c","echo before; exec \\"$@\\"","--"]',)}

    @classmethod
    def setUpClass(cls):
        groups = os.getgroups()
        os.setgroups(sorted({*groups, GROUP}))  # our programs have them, too
        cls.addClassCleanup(os.setgroups, groups)
        super().setUpClass()

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
        self.assertIn("working directory '/etc/os-release' in the container: Not a directory", status["error_message"])
        for missing in (self.cluster.shared / "typo", "/shared/typo", "/typo"):
            status, _, _ = self.run_task("true", options=("--container", "box", "--cwd", str(missing)))
            self.assertEqual((status["status"], status["exit_code"]), ("failed", 126), status["error_message"])
            self.assertIn(f"working directory '{missing}' in the container: No such file", status["error_message"])
        self.assertEqual(list(self.cluster.shared.rglob("typo")), [])
        status, _, _ = self.run_task("true", options=("--container", "127.0.0.1:1/typo:1"))
        self.assertEqual((status["exit_code"], status["attempt"]), (126, 1), status["error_message"])
        self.assertIn("connection refused", status["error_message"])
        status, _, _ = self.run_task("true", options=("--container", "box", "--cores", "0.001"))
        self.assertEqual((status["status"], status["exit_code"]), ("completed", 0), status["error_message"])

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
        self.assertIn(f"image 'hakuriver/absent:base' is not on this node, and no package of environment 'absent' in "
                      f"'{self.cluster.shared}/hakuriver-containers': `hakuriver.docker package absent` makes one",
                      status["error_message"])

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

    def test_the_lines_of_a_dry_run_do_what_they_say(self):
        local = self.cluster.home / "local"
        local.mkdir()
        text = "pwd; ls -d /shared /local_temp /data; ls /sys/class/net"
        lines = self.cluster.dry_run("--container", "box", "--memory", "64M", "--private-network", "--mount",
                                     f"{local}:/data:ro", "--", "sh", "-c", text,
                                     HAKURIVER_PATHS_LOCAL_TEMP_DIR=str(local))
        made, started = map(shlex.split, lines)
        self.assertEqual((made[0], started), ("docker", ["docker", "start", "--attach", "hakuriver-task-0"]))
        self.engine.docker(*made[1:])
        try:
            self.assertIn('"Memory": 67108864,', self.engine.docker("inspect", "hakuriver-task-0").stdout)
            self.assertEqual(self.engine.docker(*started[1:]).stdout.split(),
                             [str(self.cluster.shared), "/data", "/local_temp", "/shared", "lo"])
        finally:
            self.engine.docker("rm", "hakuriver-task-0")

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


class Defaults(DockerCase):
    @classmethod
    def make_cluster(cls):
        return DockerCluster(cls.engine, 'default_container_name = "box"\nallow_privileged = false\n'
                                         'allow_mounts = ["/srv", "HOME/allowed"]\n'
                                         'additional_mounts = ["/usr:/of/node:ro"]')

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
            self.assertEqual(done.returncode, 4)
            self.assertIn(key, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    docker_cluster.main()
