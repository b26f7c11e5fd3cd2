"""The lab: nodes boot, are cut off, killed and started again, and nothing outlives a script: lab_itself.py PROGRAMS"""

import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

import lab
from node import PATIENCE, LabNode

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()


class Nodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.node = LabNode("lab1", "10.77.0.11", programs=PROGRAMS)
        cls.addClassCleanup(cls.node.kill)
        cls.node.start()

    def test_systemd_runs_there_without_failures(self):
        self.assertEqual(self.node.check(["systemctl", "is-system-running"]), "running\n")
        self.assertEqual(self.node.check(["cat", "/proc/1/comm"]), "systemd\n")
        self.assertEqual(self.node.check(["hostname"]), "lab1\n")

    def test_the_programs_and_the_shared_directory_are_there(self):
        self.assertEqual(self.node.check(["hakurun", "echo", "span:{1..2}"]), "1\n2\n")
        (self.node.shared / "from-outside").write_text("in\n")
        self.assertEqual(self.node.check(["cat", "from-outside"], cwd="/shared"), "in\n")

    def test_systemd_limits_what_it_runs(self):
        # Below a limit of memory that is far less than what the command writes to memory it is killed.
        done = self.node.run(["systemd-run", "--scope", "--quiet", "--property=MemoryMax=30M",
                              "--property=MemorySwapMax=0", "tail", "/dev/zero"])
        self.assertEqual(done.status, -signal.SIGKILL, done)

    def test_a_cut_node_is_silent_and_comes_back(self):
        def reaches():
            with subprocess.Popen(["python3", "-c", CONNECT]) as tried:
                return tried.wait() == 0

        self.assertTrue(reaches())
        self.node.cut()
        self.assertFalse(reaches())
        self.node.join()
        self.node.wait_until(reaches, "the network is back")

    def test_a_killed_or_rebooted_node_keeps_its_files_and_has_another_boot_id(self):
        boots = {self.node.check(["cat", "/proc/sys/kernel/random/boot_id"])}
        self.node.check(["touch", "/var/kept"])
        self.node.reboot()
        boots.add(self.node.check(["cat", "/proc/sys/kernel/random/boot_id"]))
        self.node.kill()
        self.node.start()
        boots.add(self.node.check(["cat", "/proc/sys/kernel/random/boot_id"]))
        self.node.check(["test", "-e", "/var/kept"])
        self.assertEqual(len(boots), 3)

    def test_two_nodes_at_once_see_each_other(self):
        with LabNode("lab2", "10.77.0.12") as other:
            self.assertEqual(other.run(["python3", "-c", CONNECT]).status, 0)


# Refused by the node's kernel is as good as accepted: it answered.
CONNECT = """
import socket, sys
with socket.socket() as client:
    client.settimeout(2)
    try:
        client.connect(("10.77.0.11", 9))
    except ConnectionRefusedError:
        sys.exit(0)
    except OSError as error:
        sys.exit(1)
"""


class Leftovers(unittest.TestCase):
    def test_a_killed_script_leaves_no_process_and_the_next_one_runs(self):
        source = ("import sys, lab\nlab.enter()\nfrom node import LabNode\n"
                  "with LabNode('lab1', '10.77.0.11') as node:\n"
                  "  print(node.check(['hostname']), end='', flush=True)\n  sys.stdin.read()\n")
        script = lab.DIRECTORY / "killed.py"
        script.write_text(source)
        environment = {name: value for name, value in os.environ.items() if name != lab.INSIDE}
        environment["PYTHONPATH"] = str(pathlib.Path(__file__).resolve().parent)
        for _ in range(2):
            with subprocess.Popen([sys.executable, script], env=environment, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True) as killed:
                self.assertEqual(killed.stdout.readline(), "lab1\n")
                killed.kill()
                # Its node holds this pipe too.
                self.assertEqual(killed.stdout.read(), "")
        end = time.monotonic() + PATIENCE
        while not lab.remove_cgroups_of_the_dead():
            self.assertLess(time.monotonic(), end, "cgroups of a killed script stay")
            time.sleep(0.05)


if __name__ == "__main__":
    lab.enter()
    unittest.main(argv=sys.argv[:1], verbosity=2)
