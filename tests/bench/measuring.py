"""What the benchmark of the cluster measures with: processes as the kernel accounts for them, a kept connection, rows."""

import dataclasses
import http.client
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))

from cluster import Cluster  # noqa: E402  (the path above is needed first)


@dataclasses.dataclass
class Row:
    """One line of the table. `beside` is what was measured next to it in the same run, `ratio` set against that.

    `floor` is what this machine needed just then for what bounds the value, in the value's unit.
    """

    what: str
    value: float
    unit: str
    goal: float = None
    at_least: bool = False
    beside: str = ""
    ratio: float = None
    floor: float = 0

    def times_worse(self):
        """How far from its goal; 1 and less is held."""
        if self.goal is None:
            return 0
        if self.at_least:
            return self.goal / max(self.value, 1e-9)
        return self.value / self.goal

    def is_gross(self, times):
        """So many times worse than its goal, and not because the machine was that slow."""
        return self.times_worse() > times and self.value > times * self.floor


def number(value):
    """Three significant digits, but whole numbers in full."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}"


def print_table(rows):
    cells = [("what", "measured", "beside it", "ratio", "goal", "held")]
    for row in rows:
        goal = "" if row.goal is None else f"{'>=' if row.at_least else '<='} {number(row.goal)} {row.unit}".strip()
        cells.append((row.what, f"{number(row.value)} {row.unit}".strip(), row.beside,
                      "" if row.ratio is None else f"{row.ratio:.2f}", goal,
                      "" if row.goal is None else "yes" if row.times_worse() <= 1 else "NO"))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for index, line in enumerate(cells):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
        if index == 0:
            print("|" + "|".join("-" * (width + 2) for width in widths) + "|")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def cpu_seconds(pid):
    """CPU time of all threads of a process, to the nanosecond: its clock, as clock_getcpuclockid(3) has it."""
    return time.clock_gettime((~pid << 3) | 2)


def private_bytes(pid):
    rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return 1024 * sum(int(kilobytes) for kilobytes in re.findall(r"^Private_\w+:\s+(\d+) kB", rollup, re.MULTILINE))


def sleeps(pid):
    """How often the threads of a process went to sleep, and so were woken."""
    total = 0
    for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.MULTILINE).group(1))
    return total


def time_of(words, environment=None):
    """The wall time of one process from start to end, in seconds."""
    start = time.monotonic()
    subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - start


def home_in_memory():
    """A new directory in memory where the machine has such a file system, or else wherever temporary files are."""
    memory = pathlib.Path("/dev/shm")
    is_there = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 2**28
    return tempfile.mkdtemp(prefix="hakuriver-bench-", dir=memory if is_there else None)


class BenchCluster(Cluster):
    """A cluster whose host is spoken to over one kept connection. It is thrown away with all that still waits."""

    def __init__(self, programs, launcher="plain", **more):
        super().__init__(programs, **more)
        self.launcher = launcher
        self.connection = None
        self.token = ""

    def environment(self, **more):
        return super().environment(HAKURIVER_RUNNER_LAUNCHER=self.launcher, **more)

    def start(self):
        super().start()
        self.token = (self.home / "token").read_text().strip()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        self.call("GET", "/api/v1/version")

    def call(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, path, None if body is None else json.dumps(body), headers)
        reply = self.connection.getresponse()
        answer = json.loads(reply.read())
        if reply.status >= 300:
            raise RuntimeError(f"{method} {path}: {reply.status} {answer}")
        return answer

    def submit_batch(self, **fields):
        return self.call("POST", "/api/v1/batches", fields)

    def wait_for_batch(self, batch):
        while not self.call("GET", f"/api/v1/batches/{batch}?wait=60")["done"]:
            pass

    def load(self, connections, requests, method, path, body=None):
        words = [self.programs / "bench_http", str(self.port), self.token, str(connections), str(requests), method, path]
        if body is not None:
            words.append(json.dumps(body))
        done = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        if done["refused"]:
            raise RuntimeError(f"{method} {path}: {done['refused']} requests were refused")
        return done

    def tasks_per_second(self, count):
        """From the submission to the news that all are done."""
        start = time.monotonic()
        self.wait_for_batch(self.submit_batch(argv=["true"], count=count, targets=["node1"])["batch_id"])
        return count / (time.monotonic() - start)

    def keeper(self, node="node1"):
        """The process id of a node's keeper."""
        lock = next((self.home / f"runner-{node}").rglob("lock"))
        for candidate in (self.home / f"runner-{node}").rglob("lock"):
            text = candidate.read_text().strip()
            if text.isdigit() and "keeper" in pathlib.Path(f"/proc/{text}/cmdline").read_text():
                return int(text)
        raise RuntimeError(f"{lock}: no keeper")

    def close(self):
        if self.connection:
            self.connection.close()
        for runner in self.runners.values():
            runner.stop()
        if self.host:
            self.host.stop()
        shutil.rmtree(self.home, ignore_errors=True)


def median_of(times, function):
    return statistics.median(function() for _ in range(times))


def machine():
    """What the numbers were taken on, and how busy it was."""
    model = re.search(r"^model name\s*:\s*(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{os.cpu_count()} CPUs ({model.group(1) if model else os.uname().machine}), load {load}"
