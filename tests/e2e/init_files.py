"""hakuriver.init and the configuration that all programs share: init_files.py PROGRAMS DEFAULT_CONFIG"""

import os
import pathlib
import stat
import subprocess
import sys
import tempfile
import unittest

PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
DEFAULT = pathlib.Path(sys.argv[2])


class Init(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.home = pathlib.Path(scratch.name)
        self.files = self.home / ".hakuriver"

    def run_program(self, name, *words):
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        return subprocess.run([PROGRAMS / name, *words], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)

    def test_the_first_time_writes_and_the_second_changes_nothing(self):
        self.assertEqual(self.run_program("hakuriver.init").returncode, 0)
        self.assertEqual((self.files / "config.toml").read_bytes(), DEFAULT.read_bytes())
        token = (self.files / "token").read_text()
        self.assertRegex(token, r"\A[0-9a-f]{64}\n\Z")
        self.assertEqual(stat.S_IMODE((self.files / "token").stat().st_mode), 0o600)
        (self.files / "config.toml").write_text("[network]\nhost_port = 1\n")
        again = self.run_program("hakuriver.init")
        self.assertEqual(again.returncode, 0)
        self.assertIn("stays as it is", again.stdout)
        self.assertEqual((self.files / "config.toml").read_text(), "[network]\nhost_port = 1\n")
        self.assertEqual((self.files / "token").read_text(), token)

    def test_every_program_reads_the_file_by_default(self):
        self.files.mkdir()
        (self.files / "config.toml").write_text("[network]\nhost_port = 1\n")
        done = self.run_program("hakuriver.client", "--list-nodes")
        self.assertEqual(done.returncode, 5)
        self.assertIn("127.0.0.1:1", done.stderr)

    def test_a_file_with_only_some_keys_suffices(self):
        (self.home / "client.toml").write_text('[network]\nhost_reachable_address = "127.0.0.2"\nhost_port = 1\n')
        done = self.run_program("hakuriver.client", "--config", str(self.home / "client.toml"), "--list-nodes")
        self.assertIn("127.0.0.2:1", done.stderr)

    def test_a_missing_file_is_one_line_and_exit_2(self):
        for name, words in (("hakuriver.client", ["--list-nodes"]), ("hakuriver.host", []), ("hakuriver.runner", []),
                            ("hakuriver.init", [])):
            with self.subTest(name):
                done = self.run_program(name, "--config", "/nonexistent/x.toml", *words)
                self.assertEqual((done.returncode, len(done.stderr.splitlines())), (2, 1), done.stderr)
                self.assertIn("/nonexistent/x.toml", done.stderr)

    def test_the_default_can_be_printed(self):
        self.assertEqual(self.run_program("hakuriver.init", "--print").stdout, DEFAULT.read_text())
        self.assertFalse(self.files.exists())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
