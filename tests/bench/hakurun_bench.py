"""hakurun beside those that start many commands: hakurun_bench.py BIN_DIRECTORY [--short] [--gate TIMES]

Every figure is of one run in which all took turns, so what counts is the ratio: the floor is a plain loop of vfork and
exec, the command a program without libc that ends at once. --gate fails where a goal is missed by so many times.
"""

import argparse
import os
import pathlib
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time


class Bench:
    def __init__(self, programs, short):
        self.programs = pathlib.Path(programs).resolve()
        self.scratch = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self.scratch.name)
        self.noop = str(self.programs / "bench_noop")
        self.hakurun = str(self.programs / "hakurun")
        self.count = 500 if short else 2000
        self.rounds = 3 if short else 7
        self.missing = []
        self.rows = []

    def row(self, what, value, unit, ratio=None, goal=None, beside=""):
        self.rows.append((what, value, unit, ratio, goal, beside))

    def run(self, words, count, text=None):
        """CPU time for each of the commands, in microseconds."""
        (self.directory / "log").unlink(missing_ok=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(words, cwd=self.directory, check=True, input=text, text=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.PIPE, **({"stdin": subprocess.DEVNULL} if text is None else {}))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count * 1e6

    def peers(self):
        """Who starts `count` no-ops how: name, words, input, how many, goal against the floor."""
        count = self.count
        few = max(count // 20, 20)
        (self.directory / "Makefile").write_text(
            f"all: {' '.join(f't{i}' for i in range(count))}\nt%:\n\t@{self.noop} $@\n.PHONY: all\n")
        (self.directory / "build.ninja").write_text(
            f"rule r\n  command = {self.noop} $out\n" + "".join(f"build t{i}: r\n" for i in range(count)))
        numbers = "".join(f"{i}\n" for i in range(count))
        span = f"span:1..{count}"
        yield "floor: vfork and exec", [str(self.programs / "bench_vfork"), self.noop, str(count)], None, count, None
        yield "hakurun", [self.hakurun, self.noop, span], None, count, 1.5
        yield "hakurun -j2 --keep-order --joblog", [self.hakurun, "-j2", "--keep-order", "--joblog", "log", self.noop,
                                                   span], None, count, 2.2
        yield "xargs -n1 -P2", ["xargs", "-n1", "-P2", self.noop], numbers, count, None
        yield "make -j2", ["make", "-s", "-j2", "-f", "Makefile"], None, count, None
        yield "ninja -j2", ["ninja", "--quiet", "-j2"], None, count, None
        yield "parallel -j2 --keep-order --joblog", ["parallel", "-j2", "--keep-order", "--joblog", "log", self.noop
                                                    ], "".join(f"{i}\n" for i in range(few)), few, None

    def measure_starts(self):
        peers = []
        for peer in self.peers():
            if shutil.which(peer[1][0]):
                peers.append(peer)
            else:
                self.missing.append(peer[1][0])
        taken = {name: [] for name, *_ in peers}
        for _ in range(self.rounds):
            for name, words, text, count, _ in peers:
                taken[name].append(self.run(words, count, text))
        middle = {name: statistics.median(values) for name, values in taken.items()}
        floor = middle["floor: vfork and exec"]
        for name, _, _, _, goal in peers:
            self.row(f"CPU per command: {name}", middle[name], "us", middle[name] / floor, goal, "floor")
        if "xargs -n1 -P2" in middle:
            self.row("CPU per command: hakurun", middle["hakurun"], "us", middle["hakurun"] / middle["xargs -n1 -P2"], 0.6,
                     "xargs")

    def wall(self, words, text=None):
        begin = time.perf_counter()
        subprocess.run(words, cwd=self.directory, check=True, input=text, text=True, stdout=subprocess.DEVNULL,
                       **({"stdin": subprocess.DEVNULL} if text is None else {}))
        return (time.perf_counter() - begin) * 1e3

    def measure_start_up(self):
        ours, theirs = [], []
        for _ in range(self.rounds * 10):
            ours.append(self.wall([self.hakurun, self.noop, "span:1"]))
            theirs.append(self.wall(["xargs", "-n1", self.noop], "1\n"))
        # The quickest quarter: on a busy machine the rest tells how long they waited for a CPU.
        mine, other = (sorted(values)[len(values) // 4] for values in (ours, theirs))
        self.row("one command, from start to end: hakurun", mine, "ms", mine / other, 1.3, "xargs")
        self.row("one command, from start to end: xargs", other, "ms")

    def sweep_until(self, size, lines):
        """Time to the first line of a sweep's output, and its peak memory after so many."""
        begin = time.perf_counter()
        process = subprocess.Popen([self.hakurun, "echo", f"span:1..{size}"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.directory)
        process.stdout.readline()
        first = (time.perf_counter() - begin) * 1e3
        for _ in range(lines - 2):
            process.stdout.readline()
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return first, peak

    def measure_large_sweeps(self):
        lines = 200 if self.count < 1000 else 1000
        firsts, small, large = [], [], []
        for _ in range(self.rounds):
            small.append(self.sweep_until(lines + 100, lines)[1])
            first, peak = self.sweep_until(10_000_000, lines)
            firsts.append(first)
            large.append(peak)
        self.row("first command of 10 000 000", statistics.median(firsts), "ms", statistics.median(firsts) / 10, 1, "10 ms")
        peak, little = statistics.median(large), statistics.median(small)
        self.row("memory in a sweep of 10 000 000", peak, "KiB", peak / little, 1.2, f"of {lines + 100}")

    def measure_ballast(self):
        small, large = [], []
        for _ in range(self.rounds):
            for mebibytes, values in ((0, small), (1024, large)):
                out = subprocess.run([str(self.programs / "bench_launch"), self.noop, str(self.count), str(mebibytes)],
                                     check=True, capture_output=True, text=True).stdout
                values.append(float(out))
        mine, other = statistics.median(large), statistics.median(small)
        self.row("CPU per command out of a program of 1 GiB", mine, "us", mine / other, 1.1, "a small one")

    def print(self):
        lines = [("what", "measured", "ratio", "to", "goal", "held")]
        for what, value, unit, ratio, goal, beside in self.rows:
            lines.append((what, f"{value:,.2f} {unit}".replace(",", " ") if value < 10 else f"{value:,.0f} {unit}".replace(",", " "),
                          "" if ratio is None else f"{ratio:.2f}", beside, "" if goal is None else f"<= {goal}",
                          "" if goal is None else "yes" if ratio <= goal else "NO"))
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for index, line in enumerate(lines):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
            if index == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        for name in self.missing:
            print(f"\nnot installed: {name}")

    def worst(self):
        return max((ratio / goal for _, _, _, ratio, goal, _ in self.rows if goal is not None), default=0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--gate", type=float)
    arguments = parser.parse_args()
    os.environ["LC_ALL"] = "C"
    bench = Bench(arguments.programs, arguments.short)
    bench.measure_starts()
    bench.measure_start_up()
    bench.measure_large_sweeps()
    bench.measure_ballast()
    bench.print()
    if arguments.gate and bench.worst() > arguments.gate:
        print(f"a goal is missed by more than {arguments.gate} times", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
