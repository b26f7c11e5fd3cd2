"""hakurun's options with real commands: hakurun_options.py HAKURUN"""

import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import unittest

from sweep_case import HAKURUN, SweepCase


class Options(SweepCase):
    PROGRAMS = ("env", "make", "nice", "pwd", "tr", "touch")

    def lines(self, *words, status=0):
        result = self.run_it(*words)
        self.assertEqual(result[0], status, result[2])
        return result[1].splitlines()

    # What the commands find

    def test_variables_of_the_commands(self):
        script = "echo $HAKURUN_INDEX/$HAKURUN_TOTAL $HAKURUN_SLOT $HAKURUN_NAME $HAKURUN_PARAM_lr $HAKURUN_PARAM_2"
        self.assertEqual(self.lines("sh", "-c", script, "_", "lr=span:[a,b]", "span:[x,y]"),
                         ["1/4 1 lr=a,2=x a x", "2/4 1 lr=a,2=y a y", "3/4 1 lr=b,2=x b x", "4/4 1 lr=b,2=y b y"])
        self.assertEqual(self.lines("--from", "4", "sh", "-c", script, "_", "lr=span:[a,b]", "span:[x,y]"),
                         ["4/4 1 lr=b,2=y b y"])
        self.assertEqual(self.lines("--no-slot", "sh", "-c", "echo ${HAKURUN_INDEX-none}", "_", "span:1..2"),
                         ["none", "none"])

    def test_a_sweep_inside_of_a_sweep(self):
        self.assertEqual(self.lines("hakurun", "sh", "-c", "echo $0 $HAKURUN_INDEX", "span:[span:1..2]", "span:[x]"),
                         ["1 1", "2 2"])

    def test_placeholders_and_slots(self):
        self.assertEqual(self.lines("echo", "--lr", "span:[a,b]", "run-{lr}-{#}.txt", "{x}", "${#}"),
                         ["--lr a run-a-1.txt {x} ${#}", "--lr b run-b-2.txt {x} ${#}"])
        lines = self.lines("-j", "2", "sh", "-c", "[ $HAKURUN_SLOT = {%} ] && echo {%}; sleep 0.02", "_", "span:1..9")
        self.assertEqual(len(lines), 9)
        self.assertEqual(set(lines), {"1", "2"})
        self.assertEqual(self.lines("--shell", "echo {%} $HAKURUN_SLOT", "span:[a]"), ["1 1 a"])

    def test_env_cwd_and_nice(self):
        (self.directory / "there").mkdir()
        self.environment["KEPT"] = "kept"
        script = 'echo "$A|$B|$KEPT|$(pwd | tr / " " | { read a; echo ${a##* }; })|$(nice)"'
        self.assertEqual(self.lines("--env", "A=1 2", "--env=B=", "--cwd", "there", "--nice", "3", "sh", "-c", script),
                         ["1 2||kept|there|3"])
        status, _, err = self.run_it("--cwd", "nowhere", "true")
        self.assertNotEqual(status, 0)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertIn("nowhere", err)

    def test_placeholders_in_env_and_cwd(self):
        for name in ("a", "b"):
            (self.directory / f"in-{name}").mkdir()
        script = 'echo "$A|$B|$HAKURUN_SLOT|${PWD##*/}"'
        words = ["--env", "A=x{lr}{lr}-{#}", "--env=B=s{%}", "--cwd", "in-{lr}", "sh", "-c", script, "_", "--lr",
                 "span:[a,b]"]
        self.assertEqual(self.lines(*words), ["xaa-1|s1|1|in-a", "xbb-2|s1|1|in-b"])
        self.assertEqual(self.lines(*words[:5], "--shell", script + ";", "lr=span:[a]"), ["xaa-1|s1|1|in-a"])
        # The last of two variables of one name wins, as ever, and what is no placeholder stays.
        self.assertEqual(self.lines("--env", "A={lr}", "--env", "A={x}${lr}", "sh", "-c", "echo $A", "lr=span:[a,b]"),
                         ["{x}${lr}"] * 2)
        status, out, err = self.run_it("--cwd", "in-{lr}", "pwd", "lr=span:[a,c]")
        self.assertEqual(status, 1)
        self.assertIn("in-c", err)
        self.assertIn("1 of 2 failed", err)
        err = self.check(["--to", "cluster", "--env", "A={lr}", "true", "lr=span:[a,b]"], 2, "", 1)
        self.assertIn("--to cluster", err)

    def test_stdin_goes_to_the_first_command(self):
        result = subprocess.run([HAKURUN, "--stdin", "sh", "-c", "echo got $(cat)", "_", "span:1..3"], input="words\n",
                                cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stdout, "got words\ngot\ngot\n")

    def test_a_terminal_is_no_stdin_for_commands(self):
        control, terminal = pty.openpty()
        result = subprocess.run([HAKURUN, "--stdin", "cat"], cwd=self.directory, env=self.environment, stdin=terminal,
                                capture_output=True, text=True, timeout=60)
        os.close(control)
        os.close(terminal)
        self.assertEqual((result.returncode, len(result.stderr.splitlines())), (2, 1))

    def test_each_slot_has_its_own_gpu(self):
        lines = self.lines("--gpus", "0,GPU-b", "sh", "-c", "echo $HAKURUN_SLOT:$CUDA_VISIBLE_DEVICES; sleep 0.05", "_",
                           "span:1..6")
        self.assertEqual(set(lines), {"1:0", "2:GPU-b"})
        self.assertEqual(len(lines), 6)

    # Output

    def test_keep_order(self):
        script = "sleep 0.$((4 - $1)); echo out $1; echo err $1 >&2"
        status, out, err = self.run_it("-j4", "-k", "sh", "-c", script, "_", "span:{1..3}")
        self.assertEqual((status, out, err), (0, "out 1\nout 2\nout 3\n", "err 1\nerr 2\nerr 3\n"))

    def test_tags(self):
        status, out, err = self.run_it("-j2", "-k", "--tag", "sh", "-c", "echo a; echo b; printf c >&2", "_", "n=span:1..2")
        self.assertEqual((status, out), (0, "n=1\ta\nn=1\tb\nn=2\ta\nn=2\tb\n"))
        self.assertEqual(err, "n=1\tc\nn=2\tc\n")
        self.assertEqual(self.lines("--tag", "echo", "x", "span:[a]"), ["1=a\tx a"])

    def test_lines_come_at_once_with_line_buffer(self):
        # Each command goes on only when a line of the other has come out of hakurun.
        script = "echo line $1; until [ -e go ]; do sleep 0.01; done; printf end$1"
        process = self.start("-j2", "--line-buffer", "sh", "-c", script, "_", "span:1..2")
        first = {process.stdout.readline(), process.stdout.readline()}
        self.assertEqual(first, {"line 1\n", "line 2\n"})
        self.write("go", "")
        out, _ = process.communicate(timeout=60)
        self.assertEqual(sorted(out.splitlines()), ["end1", "end2"])

    def test_ungrouped_output_is_written_by_the_commands_themselves(self):
        script = "[ /proc/self/fd/1 -ef /proc/$PPID/fd/1 ] && echo same"
        self.assertEqual(self.lines("-j2", "-u", "sh", "-c", script, "_", "span:1..2"), ["same", "same"])

    def test_one_after_the_other_output_comes_at_once_also_with_tags(self):
        process = self.start("--tag", "sh", "-c", "echo now; until [ -e go ]; do sleep 0.01; done", "_", "span:[a]")
        self.assertEqual(process.stdout.readline(), "1=a\tnow\n")
        self.write("go", "")
        self.assertEqual(process.wait(timeout=60), 0)

    def test_bytes_pass_untouched(self):
        everything = bytes(range(256)) * 300
        (self.directory / "bytes").write_bytes(everything)
        for options in (["-j2"], ["-j2", "-k"], ["-u"], []):
            with self.subTest(options):
                process = subprocess.run([HAKURUN, *options, "cat", "bytes", "span:[bytes,bytes]"], cwd=self.directory,
                                         env=self.environment, capture_output=True, timeout=60)
                self.assertEqual(process.stdout, everything * 4)

    def test_large_output_is_not_kept_in_memory(self):
        # 256 MiB wait behind a command that ends last; TMPDIR has the room.
        self.environment["ASAN_OPTIONS"] = "quarantine_size_mb=1"  # a sanitizer keeps what is freed
        script = "[ $1 = 0 ] && { until [ -e go ]; do sleep 0.01; done; exit; }; head -c 67108864 /dev/zero; touch d$1"
        process = self.start("-j5", "-k", "sh", "-c", script, "_", "span:0..4", stdout=subprocess.DEVNULL)
        process.stdout = open(os.devnull)
        self.wait_for(lambda: len(list(self.directory.glob("d*"))) == 4)
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))
        self.assertLess(peak, 64 * 1024)
        self.write("go", "")
        self.assertEqual(process.wait(timeout=60), 0)

    def test_failures_show_the_end_of_their_stderr(self):
        script = "for i in $(seq 9); do echo line $i >&2; done; exit 3"
        status, _, err = self.run_it("-j2", "--lb", "sh", "-c", script, "_", "span:1..2")
        self.assertEqual(status, 1)
        said = [line for line in err.splitlines() if line.startswith("hakurun:")]
        self.assertEqual(said[1:6], [f"hakurun:   | line {i}" for i in range(5, 10)])
        self.assertIn("exit 3: sh -c", said[-1])
        self.assertTrue(said[-1].endswith(" 2: line 9") or said[-1].endswith(" 1: line 9"))

    def test_many_failures_are_summed_up(self):
        status, _, err = self.run_it("-j4", "false", "span:1..30")
        self.assertEqual(status, 1)
        lines = err.splitlines()
        self.assertEqual(len([line for line in lines if line.startswith("hakurun: failed (exit 1): false ")]), 30)
        self.assertIn("hakurun: 30 of 30 failed:", lines)
        self.assertEqual(lines[-1], "hakurun:   and 10 more")

    # Progress

    def on_terminal(self, *words):
        """Everything that a terminal shows, and the exit status."""
        control, terminal = pty.openpty()
        process = subprocess.Popen([HAKURUN, *words], cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=terminal, stderr=terminal)
        os.close(terminal)
        shown = b""
        while select.select([control], [], [], 60)[0]:
            try:
                part = os.read(control, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
        os.close(control)
        return process.wait(timeout=60), shown.decode()

    def test_a_status_line_on_a_terminal(self):
        status, shown = self.on_terminal("-j2", "sh", "-c", "sleep 0.4; echo done $1", "_", "span:1..6")
        self.assertEqual(status, 0)
        self.assertRegex(shown, r"\r\d/6 done, 0 failed, \d running, [\d.]+/s, \w+ left\x1b\[K")
        # What the commands print stands on lines of its own: the status line is erased before it.
        visible = re.sub(r"[^\n]*\r\x1b\[K", "", shown).replace("\r\n", "\n")
        self.assertEqual(sorted(visible.splitlines()), [f"done {n}" for n in range(1, 7)])
        status, shown = self.on_terminal("-j2", "--no-progress", "sh", "-c", "sleep 0.7", "_", "span:1..2")
        self.assertEqual((status, shown), (0, ""))

    def test_plain_lines_elsewhere_only_where_asked_for(self):
        err = self.check(["--progress", "-j2", "true", "span:1..4"], 0, "", 1)
        self.assertRegex(err, r"^hakurun: 4/4 done, 0 failed, 0 running, [\d.]+/s\n$")
        self.check(["-j2", "true", "span:1..4"], 0, "")
        self.check(["--joblog", "log", "true", "span:1..2"], 0, "")
        err = self.check(["--progress", "--joblog", "log", "--resume", "true", "span:1..5"], 0, "", 2)
        self.assertRegex(err, r"3/3 done, 0 failed, 0 running, 2 skipped, [\d.]+/s")

    def test_what_is_left_out_counts_neither_as_done_nor_as_waiting(self):
        script = ["sh", "-c", "until [ -e go ]; do sleep 0.01; done", "_"]
        self.write("go", "")
        self.check(["--joblog", "waits", *script, "span:1..60"], 0, "")
        (self.directory / "go").unlink()
        words = [HAKURUN, "-j2", "--joblog", "waits", "--resume", *script, "span:1..63"]
        control, terminal = pty.openpty()
        self.addCleanup(os.close, control)
        process = subprocess.Popen(words, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL,
                                   stdout=terminal, stderr=terminal)
        os.close(terminal)
        shown = b""
        while b"0/3 done, 0 failed, 2 running, 60 skipped" not in shown:
            self.assertTrue(select.select([control], [], [], 60)[0], shown)
            shown += os.read(control, 4096)
        self.write("go", "")
        self.assertEqual(process.wait(timeout=60), 0)

    # When, and what if

    def test_delay(self):
        begin = time.monotonic()
        self.check(["-j4", "--delay", "100ms", "true", "span:1..4"], 0, "")
        self.assertGreaterEqual(time.monotonic() - begin, 0.3)

    def test_load_and_memfree_hold_back_starts(self):
        self.check(["--load", "1000000", "--memfree", "1M", "echo", "span:1..2"], 0, "1\n2\n")
        process = self.start("--memfree", "1000000G", "touch", "started")
        time.sleep(0.3)
        self.assertFalse((self.directory / "started").exists())
        process.terminate()
        self.assertEqual(process.wait(timeout=60), 130)

    def test_timeout(self):
        begin = time.monotonic()
        status, out, err = self.run_it("-j2", "--timeout", "0.3", "sh", "-c", "echo began $1; exec sleep $1", "_",
                                       "span:[0,1000]")
        self.assertEqual(status, 1)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(sorted(out.splitlines()), ["began 0", "began 1000"])
        self.assertIn("hakurun: failed (timed out): sh -c", err)

    def test_timeout_by_the_median_of_those_that_succeeded(self):
        # Of three the limit is known: the fourth would never end.
        begin = time.monotonic()
        status, out, err = self.run_it("--timeout", "200%", "sh", "-c", "sleep $1; echo $1", "_",
                                       "span:[0.2,0.2,0.2,1000]")
        self.assertEqual((status, out), (1, "0.2\n" * 3), err)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertEqual(err.splitlines()[0], "hakurun: failed (timed out): sh -c 'sleep $1; echo $1' _ 1000")

    def test_retries(self):
        script = "echo try >> tries; [ $(wc -l < tries) -gt 2 ]"
        status, _, err = self.run_it("--retries", "5", "--backoff", "10ms", "sh", "-c", script)
        self.assertEqual(status, 0, err)
        self.assertEqual(err.count("to be tried again"), 2)
        self.assertEqual((self.directory / "tries").read_text(), "try\n" * 3)
        status, _, err = self.run_it("--retries", "1", "false", "span:1..2")
        self.assertEqual(status, 1)
        self.assertIn("2 of 2 failed", err)

    def test_halt(self):
        script = "echo $1 >> ran; [ $1 -lt 3 ]"
        status, _, err = self.run_it("--halt", "soon", "sh", "-c", script, "_", "span:1..9")
        self.assertEqual(status, 1)
        self.assertIn("6 not started", err)
        self.assertEqual((self.directory / "ran").read_text(), "1\n2\n3\n")
        status, _, err = self.run_it("--halt", "soon,fail=2", "sh", "-c", script, "_", "span:1..9")
        self.assertIn("5 not started", err)
        begin = time.monotonic()
        status, _, err = self.run_it("-j2", "--halt", "now", "sh", "-c", "[ $1 = 1 ] && exec sleep 1000; exit 1", "_",
                                     "span:1..9")
        self.assertEqual(status, 1)
        self.assertLess(time.monotonic() - begin, 30)
        self.assertIn("1 stopped", err)

    # Records

    def test_joblog(self):
        command = ["test", "span:1..3", "-lt", "3"]
        self.assertEqual(self.run_it("--joblog", "log", *command)[0], 1)
        rows = [line.split("\t") for line in (self.directory / "log").read_text().splitlines() if line[:1] != "#"]
        self.assertEqual(rows[0][:9], ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal",
                                       "Command"])
        self.assertEqual([(row[0], row[6]) for row in rows[1:]], [("1", "0"), ("2", "0"), ("3", "1")])
        # It is not overwritten, and not gone on with unless that is asked for.
        status, _, err = self.run_it("--joblog", "log", *command)
        self.assertNotEqual(status, 0)
        self.assertEqual(len(err.splitlines()), 1)
        self.assertIn("log", err)

    def test_a_joblog_may_be_a_pipe_that_somebody_reads(self):
        os.mkfifo(self.directory / "pipe")
        err = self.check(["--joblog", "pipe", "true", "span:1..2"], 1, "", 1)
        self.assertIn("'pipe': nobody reads it", err)
        result = subprocess.run(["bash", "-c", "hakurun --joblog >(cat > log; : > done) true span:1..2; "
                                               "until [ -e done ]; do sleep 0.01; done"],
                                cwd=self.directory, env=self.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.stderr, "")
        self.assertEqual(len((self.directory / "log").read_text().splitlines()), 3)

    def test_a_closed_descriptor_is_not_taken_for_a_file(self):
        for closed in ("<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
            for jobs in ("-j1", "-j2", "-j2 --results results"):
                with self.subTest(closed=closed, jobs=jobs):
                    shutil.rmtree(self.directory / "results", ignore_errors=True)
                    (self.directory / "log").unlink(missing_ok=True)
                    text = f"hakurun {jobs} --joblog log sh -c 'echo out && echo err >&2' _ span:1..3 {closed}"
                    status = subprocess.run(["bash", "-c", text], cwd=self.directory, env=self.environment,
                                            capture_output=True, timeout=60).returncode
                    self.assertEqual(status, 0 if closed == "<&-" else 1)
                    lines = (self.directory / "log").read_text().splitlines()
                    self.assertTrue(lines and all(line.count("\t") == 12 for line in lines), lines)

    def test_resume_leaves_out_what_has_succeeded(self):
        script = "echo $1; [ $1 != 2 ] || [ -e fixed ]"
        command = ["sh", "-c", script, "_", "span:1..3"]
        status, out, _ = self.run_it("--joblog", "log", *command)
        self.assertEqual((status, out), (1, "1\n2\n3\n"))
        self.write("fixed", "")
        status, out, err = self.run_it("--joblog", "log", "--retry-failed", *command)
        self.assertEqual((status, out), (0, "2\n"), err)
        status, out, err = self.run_it("--joblog", "log", "--resume", *command)
        self.assertEqual((status, out), (0, ""), err)
        self.assertIn("3 of 3 left out", err)
        status, out, err = self.run_it("--joblog", "log", "--resume", "sh", "-c", script, "_", "span:1..4")
        self.assertEqual((status, out), (0, "4\n"), err)
        status, out, err = self.run_it("--joblog", "log", "--resume", "echo", "other", "span:1..3")
        self.assertEqual((status, out), (0, "other 1\nother 2\nother 3\n"))
        self.assertIn("changed", err)

    def test_results(self):
        script = "echo out; printf err >&2; exit $1"
        status, out, err = self.run_it("--results", "results", "sh", "-c", script, "_", "span:0..1", "--lr=span:[a/b]")
        self.assertEqual((status, out), (1, "out\nout\n"))
        folders = sorted((self.directory / "results").iterdir())
        self.assertEqual(len(folders), 2)
        for number, folder in enumerate(folders):
            self.assertIn(f"1={number}", folder.name)
            self.assertEqual((folder / "stdout").read_text(), "out\n")
            self.assertEqual((folder / "stderr").read_text(), "err")
            self.assertEqual(json.loads((folder / "params.json").read_text())["parameters"], {"1": number, "lr": "a/b"})
            self.assertIn("outcome.json", [path.name for path in folder.iterdir()])

    # make's jobserver

    @unittest.skipUnless(shutil.which("make"), "make is not installed")
    def test_a_make_above_is_respected(self):
        self.write("makefile", "all:\n\t+hakurun -j8 sh -c 'mkdir r$$1; sleep 0.1; ls -d r* | wc -l; rmdir r$$1' _ "
                               "span:1..6\n")
        self.environment["MAKEFLAGS"] = ""
        result = subprocess.run(["make", "-s", "-j2"], cwd=self.directory, env=self.environment, capture_output=True,
                                text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        counts = [int(line) for line in result.stdout.split()]
        self.assertEqual(len(counts), 6)
        self.assertEqual(max(counts), 2)

    @unittest.skipUnless(shutil.which("make"), "make is not installed")
    def test_a_make_above_that_keeps_its_jobserver_is_no_obstacle(self):
        self.write("makefile", "all:\n\thakurun echo span:1..2\n")
        result = subprocess.run(["make", "-s", "-j2"], cwd=self.directory, env=self.environment, capture_output=True,
                                text=True, timeout=60)
        self.assertEqual((result.returncode, result.stdout), (0, "1\n2\n"), result.stderr)
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        self.assertIn("'+'", result.stderr)

    @unittest.skipUnless(shutil.which("make"), "make is not installed")
    def test_makes_below_share_the_jobs(self):
        self.write("makefile", "all: a b c\na b c:\n\t@mkdir $(R)$@; sleep 0.2; ls -d *.d* | wc -l; rmdir $(R)$@\n")
        status, out, err = self.run_it("-j3", "--jobserver", "make", "-s", "R=r{#}.d", "span:[all,all]")
        self.assertEqual(status, 0, err)
        counts = [int(line) for line in out.split()]
        self.assertEqual(len(counts), 6)
        self.assertEqual(max(counts), 3)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
