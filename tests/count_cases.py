"""Adds up the cases of test programs and scripts from ctest's JUnit file: count_cases.py FILE... --least N

The last line is "N passed, N failed". A program tells its own numbers (doctest, unittest, or a last line like ours); one
that tells none counts as one case, and one that failed without a failed case (a crash, a timeout) as one more. The exit
status is 1 where a case failed, or where there are fewer cases than there must be.
"""

import argparse
import re
import sys
import xml.etree.ElementTree

DOCTEST = re.compile(r"\[doctest\] test cases: *\d+ *\| *(\d+) passed *\| *(\d+) failed")
UNITTEST = re.compile(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?", re.MULTILINE)
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed$", re.MULTILINE)


def of_unittest(match):
    counts = dict(re.findall(r"(\w+)=(\d+)", match.group(2) or ""))
    failed = int(counts.get("failures", 0)) + int(counts.get("errors", 0))
    skipped = int(counts.get("skipped", 0))
    # A subtest that fails is counted, its case may hold several.
    return max(0, int(match.group(1)) - failed - skipped), failed


def cases_of(output, has_failed):
    """Passed and failed cases of one test."""
    found = None
    if match := DOCTEST.search(output):
        found = int(match.group(1)), int(match.group(2))
    elif match := UNITTEST.search(output):
        found = of_unittest(match)
    elif matches := PLAIN.findall(output):
        found = int(matches[-1][0]), int(matches[-1][1])
    if found is None:
        return (0, 1) if has_failed else (1, 0)
    return (found[0], max(found[1], 1)) if has_failed else found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+")
    parser.add_argument("--least", type=int, default=1)
    given = parser.parse_args()
    passed = failed = 0
    for file in given.files:
        for case in xml.etree.ElementTree.parse(file).getroot().iter("testcase"):
            has_failed = case.get("status") != "run"
            good, bad = cases_of(case.findtext("system-out") or "", has_failed)
            passed += good
            failed += bad
            if bad:
                print(f"FAILED  {case.get('name')}: {bad} of {good + bad} cases")
    if passed + failed < given.least:
        print(f"FAILED  only {passed + failed} cases ran; there are at least {given.least}")
        failed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
