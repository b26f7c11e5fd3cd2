"""What tests of hakurun stand on: a directory to work in, and a PATH with few programs, hakurun among them."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

HAKURUN = str(pathlib.Path(sys.argv[1]).resolve())

USUAL_PROGRAMS = ("bash", "cat", "echo", "false", "head", "ls", "mkdir", "rmdir", "seq", "sh", "sleep", "test", "true",
                  "wc")


class SweepCase(unittest.TestCase):
    PROGRAMS = ()  # besides the usual ones

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.directory = pathlib.Path(scratch.name) / "work"
        self.directory.mkdir()
        self.home = pathlib.Path(scratch.name) / "home"
        self.home.mkdir()
        # A PATH without `python`, as on a bare Debian.
        self.programs = pathlib.Path(scratch.name) / "programs"
        self.programs.mkdir()
        for name in (*USUAL_PROGRAMS, *self.PROGRAMS):
            if found := shutil.which(name):
                (self.programs / name).symlink_to(found)
        (self.programs / "python3").symlink_to(sys.executable)
        (self.programs / "hakurun").symlink_to(HAKURUN)
        self.environment = {"PATH": str(self.programs), "HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def start(self, *words, **options):
        settings = {"cwd": self.directory, "env": self.environment, "stdin": subprocess.DEVNULL,
                    "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
        process = subprocess.Popen([HAKURUN, *words], **settings)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()

    def run_it(self, *words, **options):
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def check(self, words, status, out, err_lines=0):
        result = self.run_it(*words)
        self.assertEqual(result[0], status, result[2])
        self.assertEqual(result[1], out)
        self.assertEqual(len(result[2].splitlines()), err_lines, result[2])
        return result[2]

    def wait_for(self, condition):
        end = time.monotonic() + 30
        while not condition():
            self.assertLess(time.monotonic(), end, "it did not happen in 30 s")
            time.sleep(0.01)
