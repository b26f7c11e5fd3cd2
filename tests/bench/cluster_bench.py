#!/usr/bin/env python3
"""What the cluster costs: the real programs on the loopback, in a temporary home, against what bounds them.

    cluster_bench.py PROGRAMS [--full | --short] [--only WORD]

PROGRAMS is the bin directory of a build (a Release build, for numbers to quote). --full, the default, takes some
minutes; --short takes some seconds, uses small numbers, and fails only where a goal is missed by far. --only runs the
measurements whose name contains the word.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

from measuring import (BenchCluster, Row, cpu_seconds, home_in_memory, machine, median_of, percentile, print_table,
                       private_bytes, sleeps, time_of)

GROSS = 4  # so many times worse than its goal is a row that fails the short form
MEGABYTE = 1e6


class Sizes:
    def __init__(self, short):
        self.rounds = 3 if short else 5
        self.latencies = 60 if short else 1000
        self.processes = 10 if short else 100
        self.posts = 2_000 if short else 30_000
        self.tasks = 20_000 if short else 200_000
        self.no_ops = 400 if short else 5_000
        self.stored = 50_000 if short else 1_000_000
        self.idle = 5 if short else 30


def stamped_at(path):
    """The monotonic nanoseconds at which bench_stamp began that wrote this file."""
    seconds, nanoseconds = struct.unpack("=4q", path.read_bytes())[:2]
    return seconds * 10**9 + nanoseconds


def spawn_latency(stamp, directory):
    """The floor of submitting: an fdatasync of one page, and then the start of the same program. In seconds."""
    log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    out = directory / "stamp"
    start = time.monotonic_ns()
    os.write(log, b"x" * 4096)
    os.fdatasync(log)
    pid = os.posix_spawn(stamp, [stamp], {}, file_actions=[
        (os.POSIX_SPAWN_OPEN, 1, out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)])
    os.waitpid(pid, 0)
    os.close(log)
    return (stamped_at(out) - start) / 1e9


def start_latency(cluster, stamp):
    """From the moment before the request is sent to the first instruction of the task. In seconds."""
    start = time.monotonic_ns()
    batch = cluster.submit_batch(argv=[stamp])["batch_id"]
    cluster.wait_for_batch(batch)
    out = cluster.shared / "task_outputs" / f"{int(batch) + 1}.out"
    return (stamped_at(out) - start) / 1e9


def measure_start(programs, sizes):
    stamp = str(programs / "bench_stamp")
    with BenchCluster(programs) as cluster:
        floors, latencies = [], []
        for _ in range(sizes.latencies):
            floors.append(spawn_latency(stamp, cluster.home) * 1e3)
            time.sleep(0.005)
            latencies.append(start_latency(cluster, stamp) * 1e3)
            time.sleep(0.005)
    for share, goal in ((0.5, 2), (0.99, 10)):
        value, floor = percentile(latencies, share), percentile(floors, share)
        yield Row(f"submit to process start, p{share * 100:.0f}", value, "ms", goal,
                  beside=f"a sync and a spawn: {floor:.2f} ms", ratio=value / floor, floor=floor)


def measure_syncs(programs, _):
    """Counts what the three programs sync between a submission and the start of its task, where strace may look."""
    if not shutil.which("strace"):
        return
    stamp = str(programs / "bench_stamp")
    with BenchCluster(programs) as cluster:
        cluster.wait_for_batch(cluster.submit_batch(argv=[stamp])["batch_id"])
        trace = cluster.home / "trace"
        pids = [cluster.host.process.pid, cluster.runners["node1"].process.pid, cluster.keeper()]
        words = ["strace", "-f", "-qq", "-ttt", "-e", "trace=fsync,fdatasync,sync_file_range,msync", "-o", trace]
        strace = subprocess.Popen(words + [word for pid in pids for word in ("-p", str(pid))],
                                  stderr=subprocess.DEVNULL)
        try:
            attached = lambda pid: "TracerPid:\t0" not in pathlib.Path(f"/proc/{pid}/status").read_text()
            cluster.wait_until(lambda: strace.poll() is not None or all(map(attached, pids)), "strace attached")
            if strace.poll() is not None:
                return
            begin = time.time()
            batch = cluster.submit_batch(argv=[stamp])["batch_id"]
            cluster.wait_for_batch(batch)
            time.sleep(0.2)
        finally:
            strace.terminate()
            strace.wait()
        seconds, nanoseconds = struct.unpack("=4q", (cluster.shared / "task_outputs" / f"{int(batch) + 1}.out")
                                             .read_bytes())[2:]
        times = [float(moment) for moment in re.findall(r"^\d+\s+(\d+\.\d+) f\w*sync\(", trace.read_text(), re.MULTILINE)]
    before = sum(begin <= moment <= seconds + nanoseconds / 1e9 for moment in times)
    if before == 0:
        raise RuntimeError("a task was started before its submission was on disk")
    yield Row("syncs between submit and process start", before, "", 1,
              beside=f"until its end is on disk: {sum(begin <= moment for moment in times)}")


def measure_submission(programs, sizes):
    with BenchCluster(programs, launcher="none") as cluster:
        client, environment = programs / "hakuriver.client", cluster.environment()
        submits, versions, nothings = [], [], []
        for _ in range(sizes.processes):
            submits.append(time_of([client, "--", "true"], environment) * 1e3)
            versions.append(time_of([client, "--version"], environment) * 1e3)
            nothings.append(time_of(["/bin/true"], environment) * 1e3)
        middle = statistics.median
        yield Row("the client submits one task, whole process, p50", middle(submits), "ms",
                  beside=f"client --version {middle(versions):.2f} ms, /bin/true {middle(nothings):.2f} ms",
                  ratio=middle(submits) / middle(versions))
        body = {"argv": ["true"]}
        posted = cluster.load(64, sizes.posts, "POST", "/api/v1/batches", body)
        read = cluster.load(64, sizes.posts, "GET", "/api/v1/version")
        yield Row("submissions over 64 kept connections", posted["per_second"], "/s",
                  beside=f"reads that commit nothing: {read['per_second']:.0f} /s",
                  ratio=posted["per_second"] / read["per_second"])
        yield Row("the same, latency p50", posted["p50"] / 1e3, "ms", beside=f"reads: {read['p50'] / 1e3:.2f} ms",
                  ratio=posted["p50"] / read["p50"])
        yield Row("the same, latency p99", posted["p99"] / 1e3, "ms", beside=f"reads: {read['p99'] / 1e3:.2f} ms",
                  ratio=posted["p99"] / read["p99"])


def measure_rate(programs, sizes):
    with BenchCluster(programs, launcher="none") as cluster:
        host, agent = cluster.host.process.pid, cluster.runners["node1"].process.pid
        cluster.tasks_per_second(sizes.tasks // 10)
        before = cpu_seconds(host), cpu_seconds(agent)
        rate = median_of(sizes.rounds, lambda: cluster.tasks_per_second(sizes.tasks))
        tasks = sizes.tasks * sizes.rounds
        of_host, of_agent = ((cpu_seconds(pid) - since) / tasks * 1e6 for pid, since in zip((host, agent), before))
    yield Row("tasks end to end, durable, launcher that starts nothing", rate, "/s", 100_000, at_least=True)
    yield Row("CPU of the host per task", of_host, "us", 5, beside=f"of the agent: {of_agent:.2f} us")


def no_ops_against_a_loop(programs, sizes, places):
    """The makespans of a batch and of a loop that creates the same output files and runs as many at a time."""
    noop, ours, floors = str(programs / "bench_noop"), [], []
    with BenchCluster(programs, cores=places, home=home_in_memory()) as cluster:
        for _ in range(sizes.rounds + 1):
            loop = pathlib.Path(tempfile.mkdtemp(dir=cluster.shared))
            words = [programs / "bench_spawn", noop, loop, str(sizes.no_ops), str(places)]
            floors.append(float(subprocess.run(words, check=True, capture_output=True, text=True).stdout))
            shutil.rmtree(loop)
            start = time.monotonic()
            cluster.wait_for_batch(cluster.submit_batch(argv=[noop], count=sizes.no_ops)["batch_id"])
            ours.append(time.monotonic() - start)
    # The first round warms up.
    return ours[1:], floors[1:]


def measure_no_ops(programs, sizes):
    """Real processes, with all files in memory: what a disk takes for creating them drowns everything else."""
    for places in (os.cpu_count(), 8 * os.cpu_count()):
        ours, floors = no_ops_against_a_loop(programs, sizes, places)
        ratio = statistics.median(our / floor for our, floor in zip(ours, floors))
        per_task, floor = (statistics.median(each) / sizes.no_ops * 1e6 for each in (ours, floors))
        yield Row(f"no-op processes, {places} at a time, makespan against a spawn loop", ratio, "x", 1.15,
                  beside=f"{per_task:.0f} us a task, the loop {floor:.0f} us", ratio=ratio)


def measure_sweep(programs, sizes):
    """A million tasks for a node that takes none: only the submission."""
    with BenchCluster(programs, launcher="none") as cluster:
        cluster.call("POST", "/api/v1/nodes/node1/drain")
        host = cluster.host.process.pid

        def submit(count):
            start = time.monotonic()
            cluster.submit_batch(argv=["true"], count=count, targets=["node1"])
            return (time.monotonic() - start) * 1e3

        for _ in range(sizes.rounds):
            one = submit(1)
        memory = private_bytes(host)
        one = median_of(sizes.rounds, lambda: submit(1))
        first = submit(1_000_000)
        grown = (private_bytes(host) - memory) / MEGABYTE
        million = statistics.median([first] + [submit(1_000_000) for _ in range(sizes.rounds - 1)])
        yield Row("a million tasks submitted", million, "ms", 10, beside=f"one task: {one:.2f} ms",
                  ratio=million / one, floor=one)
        yield Row("more memory with them", grown, "MB", 1)
        memory = private_bytes(host)
        cluster.load(64, sizes.posts, "POST", "/api/v1/batches", {"argv": ["true"], "targets": ["node1"]})
        each = (private_bytes(host) - memory) / sizes.posts
        yield Row("memory per queued task, each submitted for itself", each, "bytes")


def stored(programs, home, tasks, state, per_batch=1):
    subprocess.run([programs / "bench_fill", home / "hakuriver.db", str(tasks), state, "node2", str(per_batch)],
                   check=True)


def measure_recovery(programs, sizes):
    """From the start of the host to its first answer."""

    def start(tasks, state, per_batch):
        home = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-bench-"))
        stored(programs, home, tasks, state, per_batch)
        with BenchCluster(programs, nodes=(), home=home) as cluster:
            cluster.host.stop()
            begin = time.monotonic()
            cluster.start_host()
            cluster.connection.close()
            cluster.connection.port = cluster.port
            cluster.call("GET", "/api/v1/version")
            return time.monotonic() - begin, cpu_seconds(cluster.host.process.pid)

    empty, _ = start(0, "queued", 1)
    tasks = f"{sizes.stored:,} tasks".replace(",", " ")
    for state, per_batch, how in (("queued", 1000, "in batches of 1000"), ("ended", 1000, "in batches of 1000"),
                                  ("queued", 1, "each a batch"), ("ended", 1, "each a batch")):
        wall, cpu = start(sizes.stored, state, per_batch)
        yield Row(f"start with {tasks} {state}, {how}", wall, "s", 2,
                  beside=f"{cpu:.2f} s CPU; with none: {empty:.3f} s", ratio=wall / empty)


def measure_full_queue(programs, sizes):
    """The same work on one node, with many or few others waiting for another node."""
    for per_batch, how in ((1000, "in batches of 1000"), (1, "each a batch")):
        yield from measure_queue_of(programs, sizes, per_batch, how)


def measure_queue_of(programs, sizes, per_batch, how):
    homes = [pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-bench-")) for _ in range(2)]
    for home, waiting in zip(homes, (sizes.stored, 1000)):
        stored(programs, home, waiting, "queued", per_batch)
    with BenchCluster(programs, launcher="none", home=homes[0]) as many, \
            BenchCluster(programs, launcher="none", home=homes[1]) as few:
        hosts = many.host.process.pid, few.host.process.pid
        since = [cpu_seconds(host) for host in hosts]
        ratios, rates = [], []
        for turn in range(2 * sizes.rounds):
            pair = {}
            for cluster in (many, few) if turn % 2 else (few, many):
                pair[cluster is many] = cluster.tasks_per_second(sizes.tasks // 2)
            ratios.append(pair[True] / pair[False])
            rates.append(pair)
        tasks = 2 * sizes.rounds * (sizes.tasks // 2)
        cpu = [(cpu_seconds(host) - before) / tasks * 1e6 for host, before in zip(hosts, since)]
    each = [statistics.median(pair[which] for pair in rates[2:]) for which in (True, False)]
    waiting = f"{sizes.stored:,}".replace(",", " ")
    yield Row(f"rate with {waiting} others queued, {how}, against a thousand", statistics.median(ratios[2:]), "x", 0.95,
              at_least=True, beside=f"{each[0]:.0f} and {each[1]:.0f} /s; host {cpu[0]:.2f} and {cpu[1]:.2f} us CPU")


def measure_idle(programs, sizes):
    with BenchCluster(programs) as cluster:
        cluster.wait_for_batch(cluster.submit_batch(argv=["true"])["batch_id"])
        cluster.connection.close()
        pids = {"host": cluster.host.process.pid, "agent": cluster.runners["node1"].process.pid,
                "keeper": cluster.keeper()}
        time.sleep(2)
        before = {name: sleeps(pid) for name, pid in pids.items()}
        time.sleep(sizes.idle)
        woken = {name: (sleeps(pid) - before[name]) / sizes.idle for name, pid in pids.items()}
        memory = {name: private_bytes(pid) / MEGABYTE for name, pid in pids.items()}
    yield Row("idle, private memory of the host", memory["host"], "MB", 12)
    yield Row("idle, private memory of agent and keeper", memory["agent"] + memory["keeper"], "MB", 6,
              beside=f"agent {memory['agent']:.1f} MB, keeper {memory['keeper']:.1f} MB")
    for name, rate in woken.items():
        yield Row(f"idle, wake-ups of the {name}", rate, "/s", 1)


MEASUREMENTS = {"start": measure_start, "syncs": measure_syncs, "submission": measure_submission,
                "rate": measure_rate, "no-ops": measure_no_ops, "sweep": measure_sweep,
                "recovery": measure_recovery, "queue": measure_full_queue, "idle": measure_idle}


def main():
    parser = argparse.ArgumentParser(description="What the cluster costs, against what bounds it.")
    parser.add_argument("programs", type=pathlib.Path)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--full", action="store_true", help="the default")
    form.add_argument("--short", action="store_true", help="small numbers; fails only on gross loss")
    parser.add_argument("--only", default="", metavar="WORD", help=", ".join(MEASUREMENTS))
    arguments = parser.parse_args()
    rows = []
    before = machine()
    for name, measure in MEASUREMENTS.items():
        if arguments.only in name:
            rows += measure(arguments.programs.resolve(), Sizes(arguments.short))
    print(before)
    print_table(rows)
    if not arguments.short:
        return 0
    lost = [row.what for row in rows if row.is_gross(GROSS)]
    for what in lost:
        print(f"far from its goal: {what}", file=sys.stderr)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
