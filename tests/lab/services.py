"""Host and runner as services of a real systemd, installed by hakuriver.init service: services.py PROGRAMS"""

import json
import pathlib
import sys
import unittest

import lab
from node import LabNode

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
HOME = "/var/lib/hakuriver"


class ServiceNode(LabNode):
    """Everything runs inside, for root, with the files below HOME."""

    def hakuriver(self, program, *words):
        return self.run([f"hakuriver.{program}", *words], environment={"HAKURIVER_HOME": HOME})

    def client(self, *words, check=0):
        done = self.hakuriver("client", *words)
        if done.status != check:
            raise AssertionError(f"{words}: exit {done.status}, not {check}\n{done.out}{done.err}")
        return done.out

    def json(self, *words):
        return json.loads(self.client(*words, "--output", "json"))

    def is_online(self):
        listed = self.hakuriver("client", "--list-nodes", "--output", "json")
        return listed.status == 0 and [node["status"] for node in json.loads(listed.out)["nodes"]] == ["online"]

    def wait_until_online(self):
        self.wait_until(self.is_online, "its runner is online")

    def wait_for_status(self, task, status):
        def holds():
            # A host that is just starting refuses connections.
            done = self.hakuriver("client", "--status", task, "--output", "json")
            return done.status == 0 and json.loads(done.out)["status"] == status

        self.wait_until(holds, f"task {task} {status}")

    def main_pid(self, unit):
        return int(self.check(["systemctl", "show", "--property=MainPID", "--value", unit]))

    def log(self):
        units = "" if not self.pid1 else self.run(["journalctl", "--no-pager", "-n", "60", "-u", "hakuriver-*"]).out
        return super().log() + units


class Services(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        node = cls.node = ServiceNode("services", programs=PROGRAMS)
        cls.addClassCleanup(node.kill)
        node.start()
        node.write(f"{HOME}/config.toml", f'[network]\nhost_port = 8123\n[paths]\nshared_dir = "{HOME}/shared"\n'
                   '[runner]\ncores = 8\n[timing]\nkill_grace = 2\n')
        node.check(["mkdir", f"{HOME}/shared"])
        node.check(["hakuriver.init"], environment={"HAKURIVER_HOME": HOME})
        node.check(["hakuriver.init", "service", "--all", "--enable"], environment={"HAKURIVER_HOME": HOME})
        node.wait_until_online()

    def gate(self, name):
        return self.node.path(f"{HOME}/shared/{name}")

    def begin(self, gate, code):
        task = self.node.client("--cores", "0.1", "--", "sh", "-c",
                                f"echo begun; until test -e {gate}; do sleep 0.05; done; echo ended; exit {code}")
        self.node.wait_for_status(task.strip(), "running")
        return task.strip()

    def assert_good_units(self):
        units = ["hakuriver-host.service", "hakuriver-runner.service"]
        self.assertEqual(self.node.run(["systemctl", "is-active", *units]).out, "active\nactive\n")
        self.assertEqual(self.node.run(["systemctl", "is-enabled", *units]).out, "enabled\nenabled\n")
        verified = self.node.run(["systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in units)])
        self.assertEqual((verified.status, verified.out + verified.err), (0, ""))

    def test_systemd_accepts_the_units(self):
        self.assert_good_units()

    def test_restarts_of_host_and_runner_leave_tasks_alone(self):
        tasks = {self.begin("restarted", code): code for code in range(6)}
        for unit in ("hakuriver-runner", "hakuriver-host", "hakuriver-runner"):
            before = self.node.main_pid(unit)
            # A steady load while it happens.
            more = [self.node.client("--cores", "0", "--", "echo", "more").strip() for _ in range(5)]
            self.node.check(["systemctl", "restart", unit])
            self.assertNotEqual(self.node.main_pid(unit), before)
            self.node.wait_until_online()
            for task in more:
                self.node.wait_for_status(task, "completed")
        self.node.check(["systemctl", "restart", "hakuriver-host", "hakuriver-runner"])
        self.node.wait_until_online()
        for task in tasks:
            self.node.wait_for_status(task, "running")
        self.gate("restarted").touch()
        for task, code in tasks.items():
            self.node.client("--wait-for", task, check=code)
            self.assertEqual(self.node.client("--stdout", task), "begun\nended\n")
            self.assertEqual(self.node.json("--status", task)["attempt"], 1)

    def test_services_that_were_killed_come_back_by_themselves(self):
        task = self.begin("killed", 7)
        for unit in ("hakuriver-host", "hakuriver-runner"):
            before = self.node.main_pid(unit)
            self.node.check(["kill", "-KILL", str(before)])
            self.node.wait_until(lambda: self.node.main_pid(unit) not in (0, before), f"{unit} is started again")
        self.node.wait_until_online()
        self.node.wait_for_status(task, "running")
        self.gate("killed").touch()
        self.node.client("--wait-for", task, check=7)

    def test_either_may_be_first(self):
        for order in (["hakuriver-host", "hakuriver-runner"], ["hakuriver-runner", "hakuriver-host"]):
            self.node.check(["systemctl", "stop", "hakuriver-runner", "hakuriver-host"])
            for unit in order:
                self.node.check(["systemctl", "start", unit])
            self.node.wait_until_online()

    def test_a_task_that_takes_too_much_memory_does_not_take_the_runner_with_it(self):
        before = self.node.main_pid("hakuriver-runner")
        self.node.client("--wait", "--memory", "40M", "--", "tail", "/dev/zero", check=137)
        self.assertEqual(self.node.main_pid("hakuriver-runner"), before)

    def test_after_a_reboot_both_run_and_tasks_of_before_have_failed(self):
        task = self.begin("never", 0)
        self.node.reboot()
        self.node.wait_until_online()
        self.node.wait_for_status(task, "failed")
        # systemd ends all processes on its way down: that may have been told before the runner's turn came.
        record = self.node.json("--status", task)
        self.assertTrue(record["exit_code"] in (-15, -9) or "restarted" in record["error_message"], record)
        self.assert_good_units()

    def test_after_a_loss_of_power_both_run_and_tasks_of_before_have_failed(self):
        task = self.begin("never", 0)
        self.node.kill()
        self.node.start()
        self.node.wait_until_online()
        self.node.wait_for_status(task, "failed")
        self.assertIn("restarted", self.node.json("--status", task)["error_message"])
        self.assert_good_units()
        self.node.client("--wait", "--", "true")

    def test_a_changed_unit_stays_and_a_mistake_in_the_configuration_is_said_once(self):
        unit = self.node.path("/etc/systemd/system/hakuriver-host.service")
        text = unit.read_text()
        unit.write_text(text + "# mine\n")
        refused = self.node.hakuriver("init", "service", "--host")
        self.assertEqual(refused.status, 4)
        self.assertIn("--force", refused.err)
        self.assertEqual(unit.read_text(), text + "# mine\n")
        unit.write_text(text)
        config = self.node.path(f"{HOME}/config.toml")
        good = config.read_text()
        self.addCleanup(self.node.check, ["systemctl", "restart", "hakuriver-host"])
        self.addCleanup(config.write_text, good)
        config.write_text(good + "[nonsense]\n")
        self.assertEqual(self.node.hakuriver("init", "service", "--host").status, 2)
        self.node.run(["systemctl", "restart", "hakuriver-host"])
        self.node.wait_until(lambda: self.node.run(["systemctl", "is-failed", "hakuriver-host"]).out == "failed\n",
                             "the host's unit has failed for good")


if __name__ == "__main__":
    lab.enter()
    unittest.main(argv=sys.argv[:1], verbosity=2)
