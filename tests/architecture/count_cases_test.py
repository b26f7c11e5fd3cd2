"""Cases are counted right, and what did not run is not taken for what passed: count_cases_test.py TESTS_DIRECTORY"""

import pathlib
import subprocess
import sys
import tempfile
import unittest
from xml.sax.saxutils import escape

COUNT = pathlib.Path(sys.argv[1]) / "count_cases.py"

DOCTEST = "[doctest] test cases: 40 | 38 passed | 2 failed | 0 skipped\n"
GOOD_DOCTEST = "[doctest] test cases:  5 |  5 passed | 0 failed | 0 skipped\n"
UNITTEST = "......\n----\nRan 6 tests in 1.0s\n\nOK\n"
BAD_UNITTEST = "F.E.S.\n----\nRan 6 tests in 1.0s\n\nFAILED (failures=1, errors=1, skipped=1)\n"


class Counting(unittest.TestCase):
    def count(self, *tests, least=1):
        cases = "".join(f'<testcase name="t" status="{status}"><system-out>{escape(output)}</system-out></testcase>'
                        for status, output in tests)
        with tempfile.NamedTemporaryFile("w", suffix=".xml") as file:
            file.write(f"<testsuite>{cases}</testsuite>")
            file.flush()
            done = subprocess.run([sys.executable, COUNT, file.name, "--least", str(least)], capture_output=True,
                                  text=True, check=False)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_numbers_of_every_kind_of_program(self):
        self.assertEqual(self.count(("run", GOOD_DOCTEST)), (0, "5 passed, 0 failed"))
        self.assertEqual(self.count(("fail", DOCTEST)), (1, "38 passed, 2 failed"))
        self.assertEqual(self.count(("run", UNITTEST)), (0, "6 passed, 0 failed"))
        self.assertEqual(self.count(("fail", BAD_UNITTEST)), (1, "3 passed, 2 failed"))
        self.assertEqual(self.count(("run", "ok\n7 passed, 0 failed\n")), (0, "7 passed, 0 failed"))
        self.assertEqual(self.count(("run", "anything")), (0, "1 passed, 0 failed"))
        self.assertEqual(self.count(("run", GOOD_DOCTEST), ("run", UNITTEST)), (0, "11 passed, 0 failed"))

    def test_a_crash_is_a_failure_whatever_was_printed_before(self):
        self.assertEqual(self.count(("fail", GOOD_DOCTEST)), (1, "5 passed, 1 failed"))
        self.assertEqual(self.count(("fail", "")), (1, "0 passed, 1 failed"))
        self.assertEqual(self.count(("notrun", "")), (1, "0 passed, 1 failed"))

    def test_tests_that_do_not_run_any_more_are_noticed(self):
        self.assertEqual(self.count(("run", UNITTEST), least=7), (1, "6 passed, 1 failed"))
        self.assertEqual(self.count(), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
