"""hakurun in places where nothing else is: hakurun_static.py HAKURUN ON|OFF   (whether it is linked statically)"""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

HAKURUN = pathlib.Path(sys.argv[1]).resolve()
IS_STATIC = sys.argv[2] in ("ON", "TRUE", "1")

INTERPRETER = 3  # PT_INTERP of elf(5): a program that needs a loader names it


def program_header_types(path):
    """Of a 64-bit ELF file of this machine's byte order (elf(5), Elf64_Ehdr and Elf64_Phdr)."""
    data = path.read_bytes()
    offset, = struct.unpack_from("Q", data, 32)
    size, count = struct.unpack_from("HH", data, 54)
    return [struct.unpack_from("I", data, offset + number * size)[0] for number in range(count)]


@unittest.skipUnless(IS_STATIC, "hakurun is not linked statically in this build")
class Static(unittest.TestCase):
    @unittest.skipUnless(sys.maxsize > 2**32, "the reader of ELF files knows 64-bit ones only")
    def test_it_needs_no_loader(self):
        self.assertNotIn(INTERPRETER, program_header_types(HAKURUN))

    @unittest.skipUnless(shutil.which("ldd"), "ldd is not installed")
    def test_it_needs_no_libraries(self):
        result = subprocess.run(["ldd", HAKURUN], capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
        self.assertRegex(result.stdout + result.stderr, "not a dynamic executable|statically linked|Not a valid")

    @unittest.skipUnless(os.geteuid() == 0, "only root may change the root directory")
    def test_it_runs_where_there_is_nothing_else(self):
        with tempfile.TemporaryDirectory() as root:
            shutil.copy(HAKURUN, f"{root}/hakurun")
            words = ["/hakurun", "-j2", "-k", "--joblog", "/log", "--results", "/results", "/hakurun", "--dry-run",
                     "x", "span:[a,b c]"]
            result = subprocess.run(words, executable="/hakurun", preexec_fn=lambda: os.chroot(root), cwd="/", env={},
                                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            self.assertEqual((result.returncode, result.stdout), (0, "x a\nx 'b c'\n"), result.stderr)
            # There is no /proc to find a command's leftovers by, which is said.
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            names = sorted(path.name for path in pathlib.Path(root, "results").iterdir())
            self.assertEqual(len(names), 2, names)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
