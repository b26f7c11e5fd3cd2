"""hakurun with real commands: hakurun_runs.py HAKURUN"""

import fcntl
import os
import pathlib
import pty
import signal
import subprocess
import sys
import termios
import unittest

from sweep_case import HAKURUN, SweepCase


def is_running(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


class Runs(SweepCase):
    # Order, output, exit status

    def test_sequence_is_the_default(self):
        self.check(["sh", "-c", "echo s$1; sleep 0.05; echo e$1", "_", "span:{1..3}"], 0, "s1\ne1\ns2\ne2\ns3\ne3\n")

    def test_first_span_is_slowest(self):
        self.check(["echo", "span:{1..2}", "span:[A,B]"], 0, "1 A\n1 B\n2 A\n2 B\n")

    def test_options_after_the_command_are_the_commands(self):
        self.check(["echo", "--parallel", "span:{1..2}"], 0, "--parallel 1\n--parallel 2\n")
        self.check(["--", "echo", "-j"], 0, "-j\n")

    def test_all_run_at_once(self):
        # Each waits until all six are there.
        script = "mkdir $1; while [ $(ls | wc -l) -lt 6 ]; do sleep 0.01; done"
        self.check(["--parallel", "sh", "-c", script, "_", "span:{1..6}"], 0, "")

    def test_jobs_bounds_what_runs_at_once(self):
        # The directory `full` can be made by one command at a time only if -j 1 is kept.
        self.check(["-j", "1", "sh", "-c", "mkdir full && sleep 0.02 && rmdir full", "_", "span:{1..5}"], 0, "")
        script = "mkdir r$1; sleep 0.02; ls | wc -l; rmdir r$1"
        status, out, err = self.run_it("-j2", "sh", "-c", script, "_", "span:{1..10}")
        self.assertEqual(status, 0, err)
        self.assertLessEqual(max(int(line) for line in out.split()), 2)

    def test_lines_of_one_combination_stay_together(self):
        script = "for i in $(seq 5); do echo out $1; echo err $1 >&2; sleep 0.01; done"
        status, out, err = self.run_it("--parallel", "sh", "-c", script, "_", "span:{1..8}")
        self.assertEqual(status, 0)
        for text in (out, err):
            lines = text.splitlines()
            self.assertEqual(len(lines), 40)
            for block in range(8):
                self.assertEqual(len(set(lines[block * 5 : block * 5 + 5])), 1)

    def test_output_too_large_for_memory_stays_together(self):
        script = "for i in $(seq 30000); do echo line $1 $i of many; done"
        status, out, _ = self.run_it("-j", "2", "sh", "-c", script, "_", "span:{1..2}")
        self.assertEqual(status, 0)
        blocks = {n: "".join(f"line {n} {i} of many\n" for i in range(1, 30001)) for n in (1, 2)}
        self.assertIn(out, (blocks[1] + blocks[2], blocks[2] + blocks[1]))

    def test_without_room_for_large_output_it_is_still_written(self):
        self.environment["TMPDIR"] = "/nowhere"
        script = "for i in $(seq 20000); do echo $1$i; done"
        status, out, err = self.run_it("-j", "2", "sh", "-c", script, "_", "span:{1..2}")
        self.assertEqual(len(out.splitlines()), 40000)
        self.assertEqual(status, 0)
        self.assertEqual(err.count("cannot be kept together"), 1)

    def test_failures_are_named_at_once_and_counted(self):
        err = self.check(["sh", "-c", "exit $1", "_", "span:{0..2}"], 1, "", 5)
        self.assertEqual(err.splitlines()[0], "hakurun: failed (exit 1): sh -c 'exit $1' _ 1")
        self.assertEqual(err.splitlines()[2:4], ["hakurun: 2 of 3 failed:", "hakurun:   exit 1: sh -c 'exit $1' _ 1"])
        err = self.check(["false"], 1, "", 2)
        self.assertEqual(err.splitlines()[1], "hakurun: 1 of 1 failed")

    def test_one_killed_of_eight_leaves_seven(self):
        script = "[ $1 = 5 ] && kill -9 $$; echo done $1"
        status, out, err = self.run_it("--parallel", "sh", "-c", script, "_", "span:{1..8}")
        self.assertEqual(status, 1)
        self.assertEqual(sorted(out.splitlines()), [f"done {n}" for n in (1, 2, 3, 4, 6, 7, 8)])
        self.assertIn("signal 9", err)
        self.assertIn("1 of 8 failed", err)

    def test_limit(self):
        self.check(["--limit", "3", "echo", "span:{1..1000000000000}"], 0, "1\n2\n3\n")

    def test_a_stretch_a_sample_and_a_shuffle(self):
        self.check(["--from", "2", "--limit", "2", "echo", "span:{1..5}"], 0, "2\n3\n")
        self.check(["--from", "6", "echo", "span:{1..5}"], 0, "", 1)
        self.check(["--count", "--sample", "7", "x", "span:{1..1000000000000}"], 0, "7\n")
        _, whole, err = self.run_it("--shuffle", "--seed", "5", "echo", "span:{1..50}")
        self.assertEqual(sorted(whole.split(), key=int), [str(n) for n in range(1, 51)])
        self.assertEqual(err, "")
        self.assertNotEqual(whole.split(), [str(n) for n in range(1, 51)])
        _, part, _ = self.run_it("--sample", "10", "--seed", "5", "echo", "span:{1..50}")
        self.assertEqual(part.split(), whole.split()[:10])
        _, first, err = self.run_it("--shuffle", "echo", "span:{1..50}")
        seed = err.strip().rpartition(" ")[2]
        self.assertEqual(self.run_it("--shuffle", "--seed", seed, "echo", "span:{1..50}")[1], first)

    def test_spans_that_are_paired(self):
        self.check(["--zip", "echo", "span:1..3", "span:[a,b,c]"], 0, "1 a\n2 b\n3 c\n")
        err = self.check(["--zip", "echo", "span:1..3", "span:[a,b]"], 2, "", 1)
        self.assertIn("has 3 values and span number 2 has 2", err)

    def test_what_would_run_is_printed(self):
        self.check(["--count", "x", "span:{1..4294967296}", "span:{1..4294967295}"], 0, "18446744069414584320\n")
        self.check(["--expand", "p", "--lr=span:[0.1,0.2]", "span:[a b]"], 0, "lr=0.1 '2=a b'\nlr=0.2 '2=a b'\n")
        self.check(["-n", "p", "--lr=span:[0.1,0.2]", "--out", "{lr}-{#}"], 0,
                   "p --lr=0.1 --out 0.1-1\np --lr=0.2 --out 0.2-2\n")

    def test_a_shell_only_where_one_is_asked_for(self):
        self.check(["echo", "span:1..2", ">", "file"], 0, "1 > file\n2 > file\n")
        words = ["--shell", "printf '%s.' span:[a b,$HOME;ls] > out-{#}.txt; cat out-{#}.txt; echo {#}"]
        self.check(words, 0, "a b.1\n$HOME;ls.2\n")
        self.check(["--shell", "echo", "span:1..2", "|", "wc", "-l"], 0, "1\n1\n")
        self.check(["--dry-run", "--shell", "echo span:[a b] | wc -l"], 0, "echo 'a b' | wc -l\n")
        err = self.check(["--shell", "exit span:{0..1}"], 1, "", 3)
        self.assertIn("failed (exit 1): exit 1", err)

    def test_options_from_the_environment(self):
        self.environment["HAKURUN_LIMIT"] = "2"
        self.check(["echo", "span:{1..5}"], 0, "1\n2\n")
        self.check(["--limit", "1", "echo", "span:{1..5}"], 0, "1\n")
        self.environment["HAKURUN_LIMIT"] = "few"
        self.assertIn("HAKURUN_LIMIT", self.check(["echo", "span:{1..5}"], 2, "", 1))

    def at_a_terminal(self, *words, answer="", is_controlling=True):
        """What a terminal shows, the first line of stdout, and the exit status of what is then ended."""
        control, terminal = pty.openpty()
        self.addCleanup(os.close, control)

        def take_terminal():
            os.setsid()
            if is_controlling:
                fcntl.ioctl(2, termios.TIOCSCTTY, 0)

        process = subprocess.Popen([HAKURUN, *words], cwd=self.directory, env=self.environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=terminal,
                                   preexec_fn=take_terminal)
        os.close(terminal)
        shown = b""
        if answer:
            while b"[y/N] " not in shown:
                shown += os.read(control, 4096)
            os.write(control, answer.encode())
        with process.stdout:
            first = process.stdout.readline()
            process.terminate()
        status = process.wait(timeout=60)
        while True:
            try:
                shown += os.read(control, 4096)
            except OSError:  # EIO: nobody has the terminal any more
                break
        return status, first, shown.decode()

    def test_more_than_a_million_commands_are_asked_for_at_a_terminal(self):
        for answer in ("n\n", "\n", "\4", "what\n"):
            with self.subTest(answer):
                status, first, shown = self.at_a_terminal("echo", "span:{1..1000001}", answer=answer)
                self.assertEqual((status, first), (1, ""), shown)
                self.assertIn("hakurun: these are 1000001 commands. Start them? [y/N] ", shown)
                self.assertIn("nothing was started", shown)
        status, first, _ = self.at_a_terminal("echo", "span:{1..1000001}", answer="\3")
        self.assertEqual((status, first), (-signal.SIGINT, ""))
        for answer in ("y\n", "Yes\n"):
            self.assertEqual(self.at_a_terminal("echo", "span:{1..1000001}", answer=answer)[1], "1\n")

    def test_what_is_not_asked_for(self):
        for words in (["--yes", "echo", "span:{1..1000001}"], ["echo", "span:{1..1000000}"],
                      ["--limit", "1000000", "echo", "span:{1..1000001}"]):
            with self.subTest(words):
                _, first, shown = self.at_a_terminal(*words)
                self.assertEqual(first, "1\n")
                self.assertNotIn("y/N", shown)
        # Where nobody can be asked on the terminal that sees it, it does not start by itself; elsewhere it does.
        status, first, shown = self.at_a_terminal("echo", "span:{1..1000001}", is_controlling=False)
        self.assertEqual((status, first), (2, ""))
        self.assertIn("--yes", shown)
        process = self.start("echo", "span:{1..1000001}", stderr=subprocess.DEVNULL)
        process.stderr = open(os.devnull)
        self.assertEqual(process.stdout.readline(), "1\n")

    def test_commands_read_nothing_of_what_hakurun_reads(self):
        result = subprocess.run(["bash"], input="hakurun cat\necho second\n", cwd=self.directory, env=self.environment,
                                capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout, "second\n")

    def test_only_commands_reach_a_pipe(self):
        text = "hakurun echo echo ran span:{1..3} | bash"
        result = subprocess.run(["bash", "-c", text], cwd=self.directory, env=self.environment, capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.stdout, "ran 1\nran 2\nran 3\n")
        self.assertEqual(len(result.stderr.splitlines()), 1)

    def test_nothing_is_left_in_the_home_directory(self):
        self.check(["echo", "x", "span:{1..2}"], 0, "x 1\nx 2\n")
        self.assertEqual(list(self.home.iterdir()), [])

    def test_letters(self):
        letters = [chr(c) for c in range(ord("A"), ord("Z") + 1)]
        status, out, _ = self.run_it("--parallel", "echo", *[f"span:{letter}" for letter in letters])
        self.assertEqual((status, sorted(out.split())), (0, letters))
        status, out, _ = self.run_it("--parallel", "echo", "span:{A..Z}")
        self.assertEqual((status, sorted(out.split())), (0, letters))

    # Usage

    def test_usage_errors_are_one_line(self):
        for words in ([], ["--nosuch", "echo"], ["-x", "echo"], ["-j"], ["-j", "0", "echo"], ["--jobs=x", "echo"],
                      ["--jobs", "10001", "echo"], ["--limit", "0", "echo"], ["--limit=-1", "echo"], ["--parallel=1", "x"],
                      ["echo", "span:{1..}"], ["echo", "span:[a"], ["echo", "span:"], ["--count", "echo", "span:{1..9999999999}",
                      "span:{1..9999999999}"]):
            with self.subTest(words):
                err = self.check(words, 2, "", 1)
        self.assertIn(": 9999999999 x 9999999999 combinations are too many", err)

    def test_help_and_version(self):
        status, out, err = self.run_it("--help")
        self.assertEqual((status, err), (0, ""))
        self.assertTrue(out.startswith("Examples:\n  hakurun "))
        for text in ("--parallel", "-j, --jobs N", "--dry-run", "--count", "--limit N", "COMMAND ARGUMENTS", "1000"):
            self.assertIn(text, out)
        self.assertEqual([line for line in out.splitlines() if len(line) > 80 or line != line.rstrip()], [])
        status, out, _ = self.run_it("--version")
        self.assertEqual((status, out.split()[0]), (0, "hakurun"))

    def test_a_sweep_without_end_prints_its_first_line_and_goes_quietly(self):
        text = "hakurun --dry-run echo 'span:{1..1000000000000}' | head -1"
        result = subprocess.run(["bash", "-c", text], cwd=self.directory, env=self.environment, capture_output=True,
                                text=True, timeout=60)
        self.assertEqual((result.stdout, result.stderr), ("echo 1\n", ""))

    def test_a_reader_that_goes_ends_a_parallel_run_quietly(self):
        for options in ("-j 2", ""):
            with self.subTest(options):
                text = f"hakurun {options} sh -c 'echo $1' _ 'span:{{1..1000000000000}}' 2>&1 | head -1"
                if not options:  # the first command that meets the closed pipe fails; that is not hakurun's end
                    text = text.replace("1000000000000", "20")
                result = subprocess.run(["bash", "-c", text], cwd=self.directory, env=self.environment,
                                        capture_output=True, text=True, timeout=60)
                self.assertIn((result.stdout, result.stderr), (("1\n", ""), ("2\n", "")))

    # Python

    def test_python_that_is_not_there_is_python3_and_said_once(self):
        self.write("script.py", "import sys\nprint(sys.argv[1:])\n")
        err = self.check(["python", "script.py", "span:{1..2}"], 0, "['1']\n['2']\n", 1)
        self.assertIn("python3", err)
        self.environment["HAKURUN_PYTHON"] = str(self.write("my_python", f'#!/bin/sh\necho mine\nexec "{sys.executable}" "$@"\n', 0o755))
        self.check(["python", "script.py", "1"], 0, "mine\n['1']\n", 1)
        (self.programs / "python").symlink_to(self.programs / "echo")
        self.check(["python", "script.py", "1"], 0, "script.py 1\n")

    def test_functions_get_typed_values(self):
        self.write("mod.py", "def f(*a):\n    print(*[type(x).__name__ + ':' + str(x) for x in a])\n")
        expected = "int:1 str:a\nint:1 str:2\nint:2 str:a\nint:2 str:2\n"
        self.check(["mod:f", "span:{1..2}", "span:[a,2]"], 0, expected)
        self.check(["mod:f", "span:1", "span:2", "span:[a,2]"], 0, expected, 1)
        self.check(["mod:f", "span:{0.5,-3}", "7", "--x=span:{1..1}"], 0, "str:0.5 str:7 str:--x=1\nint:-3 str:7 str:--x=1\n")

    def test_functions_may_have_dotted_names_and_may_exit(self):
        (self.directory / "package").mkdir()
        self.write("package/__init__.py", "print('package imported')\n")
        self.write("package/part.py", "import sys\nclass C:\n    @staticmethod\n    def leave(x):\n"
                   "        print(sys.argv)\n        sys.exit(x)\n")
        status, out, err = self.run_it("package.part:C.leave", "span:{0..1}")
        self.assertEqual(status, 1)
        line = "package imported\n['package.part:C.leave', '{}']\n"
        self.assertEqual(out, line.format(0) + line.format(1))
        self.assertIn("1 of 2 failed", err)

    def test_an_exception_shows_its_traceback_and_counts_as_failed(self):
        self.write("exp.py", "def main(p1, p2):\n    if (p1, p2) == (1, 'B'):\n        raise ValueError('no luck')\n"
                   "    open(f'results_{p1}_{p2}.txt', 'w').write('ok')\n")
        status, _, err = self.run_it("exp:main", "span:{1..2}", "span:[A,B]")
        self.assertEqual(status, 1)
        self.assertIn("ValueError: no luck", err)
        self.assertIn("exp.py", err)
        self.assertIn("failed (exit 1): exp:main 1 B", err)
        names = sorted(path.name for path in self.directory.glob("results*"))
        self.assertEqual(names, ["results_1_A.txt", "results_2_A.txt", "results_2_B.txt"])

    def test_a_module_runs_as_main(self):
        self.write("mymod.py", "import sys\nprint(__name__, sys.argv[1:])\n")
        self.check(["mymod", "span:{1..2}"], 0, "__main__ ['1']\n__main__ ['2']\n")
        self.check(["python3", "-m", "mymod", "span:{1..2}"], 0, "__main__ ['1']\n__main__ ['2']\n")

    def test_a_program_on_path_wins_over_a_module(self):
        self.write("test.py", "print('the module')\n")
        self.check(["test", "-n", "span:[a,b]"], 0, "")

    def test_what_cannot_be_run_is_one_line(self):
        self.write("plain.py", "print(1)\n")
        self.write("tool.sh", "#!/bin/sh\n", 0o755)
        rows = [("nosuch", "neither a program on PATH nor a Python module"), ("no.such:f", "neither"),
                ("./nosuch", "no such file"), ("plain.py", "try python3 plain.py"), ("./plain.py", "try python3 ./plain.py"),
                ("tool.sh", "try ./tool.sh"), ("no such", "no program of that name"), ("/", "not a file")]
        for word, says in rows:
            with self.subTest(word):
                err = self.check([word, "span:{1..3}"], 1, "", 1)
                self.assertIn(f"'{word}'", err)
                self.assertIn(says, err)

    def test_a_varying_program(self):
        status, out, err = self.run_it("span:[echo,nosuch,./absent]", "x")
        self.assertEqual((status, out), (1, "x\n"))
        self.assertIn("'nosuch': command not found", err)
        self.assertIn("'./absent': no such file", err)
        self.assertIn("2 of 3 failed", err)

    # Signals

    def interrupted_sweep(self, *options):
        script = "sleep 1000 & echo $! >> pids; echo $$ >> pids; wait"
        process = self.start(*options, "sh", "-c", script, "_", "span:{1..100}")
        return process

    def read_pids(self):
        path = self.directory / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def test_interrupting_leaves_no_orphan(self):
        for options, count, number in (([], 2, signal.SIGINT), (["-j", "3"], 6, signal.SIGTERM), (["-j2"], 4, signal.SIGHUP)):
            with self.subTest(number):
                (self.directory / "pids").unlink(missing_ok=True)
                process = self.interrupted_sweep(*options)
                self.wait_for(lambda: len(self.read_pids()) == count)
                process.send_signal(number)
                _, err = process.communicate(timeout=60)
                self.assertEqual(process.returncode, 130)
                self.assertIn(f"{100 - count // 2} not started", err)
                self.assertEqual([pid for pid in self.read_pids() if is_running(pid)], [])

    def test_a_second_interrupt_kills(self):
        script = "trap '' TERM; echo $$ > pids; while :; do sleep 0.05; done"
        process = self.start("sh", "-c", script, "_", "span:{1..3}")
        self.wait_for(lambda: len(self.read_pids()) == 1)
        process.send_signal(signal.SIGINT)
        self.assertIn("once more to kill", process.stderr.readline())
        self.assertTrue(is_running(self.read_pids()[0]))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)
        self.assertFalse(is_running(self.read_pids()[0]))

    def test_a_reader_that_does_not_read_does_not_make_it_deaf(self):
        process = self.start("-j", "2", "sh", "-c", "head -c 1000000 /dev/zero; echo $$ > pids; sleep 1000", "_", "span:{1..2}")
        self.wait_for(lambda: len(self.read_pids()) == 1)
        process.send_signal(signal.SIGINT)  # its output is now written, to a pipe that is full soon
        self.assertIn("once more", process.stderr.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130)

    def test_nohup_is_respected(self):
        process = self.start("sh", "-c", "echo $$ > pids; sleep 0.3; echo ended",
                             preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.wait_for(lambda: len(self.read_pids()) == 1)
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate(timeout=60)
        self.assertEqual((process.returncode, out), (0, "ended\n"))

    def test_stopping_it_stops_its_commands(self):
        process = self.start("sh", "-c", "echo $$ > pids; exec sleep 1000")
        self.wait_for(lambda: len(self.read_pids()) == 1)
        child = self.read_pids()[0]

        def state(pid):
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

        process.send_signal(signal.SIGTSTP)
        self.wait_for(lambda: state(child) == "T")

        def goes_on():
            process.send_signal(signal.SIGCONT)  # again and again: it may come before hakurun has stopped itself
            return state(child) != "T"

        self.wait_for(goes_on)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 130)

    def test_commands_have_the_limits_and_signals_that_hakurun_was_given(self):
        script = "ulimit -n; while read k v; do case $k in SigBlk:|SigIgn:) echo $k $v;; esac; done < /proc/self/status"
        direct = subprocess.run(["sh", "-c", script], env=self.environment, capture_output=True, text=True).stdout
        for options in (["-j2"], []):
            status, out, _ = self.run_it(*options, "sh", "-c", script, "_", "span:{1..2}")
            self.assertEqual((status, out), (0, direct + direct))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
