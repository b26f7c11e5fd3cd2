"""What hakurun makes of command lines as bash really delivers them: hakurun_bash.py HAKURUN DATA_DIRECTORY

bash_argv.jsonl holds documented examples: "bash" as typed, "arrives" and "quoted" as hakurun's words, "runs" as the
commands that must come of either. bash_tricky.jsonl holds lines where bash's own expansion hides what was typed:
"quoted" is the meaning with every word quoted, "read" what hakurun must make of the words that arrive.
"""

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

HAKURUN = pathlib.Path(sys.argv[1]).resolve()
DATA = pathlib.Path(sys.argv[2])


def rows(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


class BashLines(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        root = pathlib.Path(self.scratch.name)
        self.empty = root / "empty"
        self.empty.mkdir()
        programs = root / "programs"
        programs.mkdir()
        self.script(programs / "hakurun", f'exec {shlex.quote(str(HAKURUN))} --dry-run "$@"')
        # A task that runs hakurun: everything up to "--" is the client's.
        self.script(programs / "hakuriver.client", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
        self.environment = dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}", LC_ALL="C.UTF-8")

    @staticmethod
    def script(path, body):
        path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        path.chmod(0o755)

    def call(self, words):
        return subprocess.run(words, cwd=self.empty, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60)

    def bash(self, text):
        return self.call(["bash", "--noprofile", "--norc", "-c", text])

    def dry_run(self, words):
        return self.call([str(HAKURUN), "--dry-run", *words])

    def check_runs(self, result, row):
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), row["count"])
        if "…" in row["runs"]:
            expected = row["runs"][: row["runs"].index("…")]
            self.assertEqual([shlex.split(line) for line in lines[: len(expected)]], expected)
            self.assertEqual(lines[-1], "python script.py 100 100 100")
            return
        self.assertEqual([shlex.split(line) for line in lines], row["runs"])

    def test_documented_examples_as_typed(self):
        for row in rows("bash_argv.jsonl"):
            with self.subTest(row["id"]):
                result = self.bash(row["bash"].removesuffix("| bash"))
                self.check_runs(result, row)
                was_joined = row.get("arrives") != row["quoted"]
                self.assertEqual(len(result.stderr.splitlines()), 1 if was_joined else 0, result.stderr)

    def test_documented_examples_quoted(self):
        for row in rows("bash_argv.jsonl"):
            with self.subTest(row["id"]):
                result = self.dry_run(row["quoted"])
                self.check_runs(result, row)
                self.assertEqual(result.stderr, "")

    def test_documented_examples_are_counted(self):
        for row in rows("bash_argv.jsonl"):
            with self.subTest(row["id"]):
                result = self.call([str(HAKURUN), "--count", *row["quoted"]])
                self.assertEqual(result.stdout, f"{row['count']}\n")

    def check_meaning(self, result, meaning):
        if "error" in meaning:
            self.assertEqual(result.returncode, 2, result.stdout)
            self.assertEqual(result.stdout, "")
            self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
            return
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), meaning["count"])
        first = [f"p {run}" for run in meaning["first"]]
        self.assertEqual(lines[: len(first)], first)

    def test_tricky_lines_as_bash_delivers_them(self):
        for row in rows("bash_tricky.jsonl"):
            with self.subTest(row["typed"]):
                result = self.bash("hakurun " + row["typed"])
                self.check_meaning(result, row["read"])
                if "quote" in row["read"].get("error", ""):
                    self.check_paste(result.stderr)

    def check_paste(self, error):
        """The command in the error, pasted, is read without doubts."""
        pasted = error.strip().split("quote the spans: ", 1)[1]
        result = self.bash(pasted.replace("hakurun --dry-run", "hakurun", 1))
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")

    def test_tricky_lines_quoted(self):
        for row in rows("bash_tricky.jsonl"):
            with self.subTest(row["typed"]):
                words = row.get("quoted_words", [word.strip('"') for word in row["typed"].split(" ")])
                result = self.dry_run(words)
                self.check_meaning(result, row["quoted"])

    def test_files_that_match_an_unquoted_list(self):
        (self.empty / "span:s").touch()
        result = self.bash('hakurun echo "Size: " span:[small,medium,large]')
        self.assertEqual(result.stdout, "echo 'Size: ' s\n")
        self.assertEqual(len(result.stderr.splitlines()), 1)
        self.assertIn("span:s exists", result.stderr)
        (self.empty / "span:A").touch()
        result = self.bash("hakurun p span:{1..3} span:[A,B]")
        self.assertEqual(result.returncode, 2)
        self.assertIn("mixes numbers and words", result.stderr)

    def test_documented_examples_in_other_moods_and_shells(self):
        """posix mode, no globs, no braces, and dash, which expands neither: the same commands run."""
        moods = (["bash", "--posix", "-c"], ["bash", "-f", "-c"], ["bash", "+B", "-c"], ["bash", "-O", "nocaseglob", "-c"],
                 ["sh", "-c"])
        for row in rows("bash_argv.jsonl"):
            if "…" in row["runs"]:
                continue
            for mood in moods:
                with self.subTest(row["id"], mood=mood):
                    self.check_runs(self.call([*mood, row["bash"].removesuffix("| bash")]), row)

    def test_a_list_that_the_shell_took_away_or_refused(self):
        # What is gone cannot be seen; what is refused never reaches hakurun.
        line = "hakurun --parallel python script.py span:{1..3} span:[A,B]"
        result = self.call(["bash", "-O", "nullglob", "-c", line])
        self.assertEqual(result.stdout.splitlines(), [f"python script.py {n}" for n in (1, 2, 3)])
        self.assertIn("read as 1 list: 1 2 3", result.stderr)
        result = self.call(["bash", "-O", "failglob", "-c", line])
        self.assertEqual((result.returncode, result.stdout), (1, ""))

    def test_files_with_the_names_of_values(self):
        def dry_run_beside(files, line):
            for name in files:
                (self.empty / name).touch()
            result = self.bash(line)
            for name in files:
                (self.empty / name).unlink()
            return result

        line = "hakurun echo Param span:{1..3} span:[A,B]"
        for files in (["span:A"], ["span:A", "span:B"]):
            result = dry_run_beside(files, line)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn("quote the spans: ", result.stderr)
        result = dry_run_beside(["span:1"], line)  # [A,B] does not match it, and braces are no pattern
        self.assertEqual(len(result.stdout.splitlines()), 6)
        self.assertIn("a file named span:1 exists", result.stderr)
        result = dry_run_beside(["span:0", "span:1"], "hakurun p --lr span:[0.001,0.01,0.1] --batch span:{32,64}")
        self.assertEqual(len(result.stdout.splitlines()), 4)
        self.assertIn("a file named span:0 exists", result.stderr)

    def test_every_shell_reads_the_safe_spelling_alike(self):
        for shell in ("bash", "sh"):
            with self.subTest(shell):
                result = self.call([shell, "-c", "hakurun p span:1..3 --lr=span:a,b"])
                self.assertEqual(result.stdout.splitlines()[:3], ["p 1 --lr=a", "p 1 --lr=b", "p 2 --lr=a"])
                self.assertEqual(result.stderr, "")

    def test_printed_lines_read_back_whatever_the_words_hold(self):
        words = ["a b", "", "it's", '"', "$HOME `id`", "new\nline", "tab\tend", "back\\slash", "\x01\x7f", "é🦆", "~", "*",
                 "#", "!", "a=b", "-n", "span", "{1,2}", "\\'"]
        printed = self.dry_run(["printf", "%s\\0", *words])
        self.assertEqual(len(printed.stdout.splitlines()), 1)
        result = self.call(["bash", "-c", printed.stdout])
        self.assertEqual(result.stdout.split("\0")[:-1], words)
        for first in ("time", "if", "A=1"):
            self.assertEqual(self.dry_run([first, "x"]).stdout, f"'{first}' x\n")

    # zsh

    def zsh(self, text, *options):
        return self.call(["zsh", "-f", *(word for name in options for word in ("-o", name)), "-c", text])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_hands_on_the_safe_spelling_whatever_its_options(self):
        for options in ((), ("extendedglob", "magicequalsubst"), ("braceccl", "kshglob"), ("nullglob", "globsubst"),
                        ("shwordsplit", "cshjunkiehistory")):
            with self.subTest(options):
                result = self.zsh("hakurun p span:1..3 --lr=span:a,b x=span:0.1..0.2..0.1 --m span:A..B", *options)
                self.assertEqual(result.stdout.splitlines()[:4], [f"p 1 --lr=a x={x} --m {m}" for x in ("0.1", "0.2")
                                                                  for m in "AB"])
                self.assertEqual((len(result.stdout.splitlines()), result.stderr), (24, ""))

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh_refuses_brackets_that_match_no_file_and_expands_braces(self):
        result = self.zsh("hakurun p span:[a,b]")
        self.assertEqual((result.returncode, result.stdout), (1, ""))
        self.assertIn("no matches found", result.stderr)
        result = self.zsh("hakurun p span:{1..3}")
        self.assertEqual(result.stdout, "p 1\np 2\np 3\n")
        self.assertEqual(len(result.stderr.splitlines()), 1)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_documented_examples_quoted_in_zsh(self):
        for row in rows("bash_argv.jsonl"):
            with self.subTest(row["id"]):
                result = self.zsh("hakurun " + shlex.join(row["quoted"]))
                self.check_runs(result, row)
                self.assertEqual(result.stderr, "")

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_printed_lines_read_back_in_zsh(self):
        words = ["a b", "", "it's", "$HOME `id`", "new\nline", "~", "=ls", "x=~", "a^b", "a#b", "*", "!", "{1,2}", "\\'", "%1"]
        printed = self.dry_run(["printf", "%s\\0", *words])
        result = self.zsh(printed.stdout, "extendedglob", "magicequalsubst")
        self.assertEqual(result.stdout.split("\0")[:-1], words)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
