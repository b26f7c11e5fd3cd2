"""What a task costs with each launcher, beside a plain one in the same run: launcher_bench.py PROGRAMS [--tasks N]

Root, systemd-nspawn and docker are needed; what is not there is left out and says so. A task is a static no-op, one runs
at a time, and all files are in memory where the machine has such a file system. The time is that of a batch divided by
its tasks; the CPU time is the whole machine's, so nothing else may run. The tools' own commands in a loop keep nothing
of a task: neither its end, nor its output, nor its limits across a restart.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "lab"))

import lab  # noqa: E402  (the path above is needed first)
from docker_engine import DockerEngine, reason_to_skip  # noqa: E402
from measuring import BenchCluster, home_in_memory  # noqa: E402
from node import LabNode  # noqa: E402

ROUNDS = 3


def busy_seconds():
    """CPU time that the machine has spent on anything."""
    ticks = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    return sum(int(ticks[column]) for column in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")


class LauncherCluster(BenchCluster):
    def __init__(self, programs, launcher, engine=None):
        self.engine = engine
        super().__init__(programs, launcher, cores=1, home=home_in_memory())

    def environment(self, **more):
        if self.engine:
            more["DOCKER_HOST"] = self.engine.host
        return super().environment(**more)

    def seconds_per_task(self, tasks, **fields):
        """Wall time and CPU time."""
        start, busy = time.monotonic(), busy_seconds()
        self.wait_for_batch(self.submit_batch(count=tasks, cores=1, memory="64M", **fields)["batch_id"])
        return (time.monotonic() - start) / tasks, (busy_seconds() - busy) / tasks


class Loop:
    """A command, once for each task; it is given the number of the task."""

    def __init__(self, words):
        self.words = words

    def seconds_per_task(self, tasks):
        start, busy = time.monotonic(), busy_seconds()
        for number in range(tasks):
            subprocess.run(self.words(number), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        return (time.monotonic() - start) / tasks, (busy_seconds() - busy) / tasks


def measure(ways, tasks):
    """Of each cluster or loop, by its name: the medians of its rounds, which take turns. With it come by how much fewer
    its tasks are, and what a submission has besides."""
    found = {name: [] for name in ways}
    for turn in range(ROUNDS + 1):
        for name, (way, fewer, fields) in ways.items():
            seconds = way.seconds_per_task(max(2, tasks // fewer), **fields)
            if turn > 0:  # the first warms up
                found[name].append(seconds)
    return {name: [statistics.median(each) for each in zip(*rounds)] for name, rounds in found.items()}


def systemd_run_in_a_loop(noop, launchers):
    limits = ["-p", "CPUQuota=100%", "-p", "MemoryMax=64M", "-p", "MemorySwapMax=0"]

    def words(number):
        return ["systemd-run", "--scope", "--collect", "--quiet", f"--unit=bench-{number}", *limits, noop]
    return {"`systemd-run --scope` in a loop": (Loop(words), 5, {})} if "systemd" in launchers else {}


def measure_here(programs, tasks, launchers):
    noop = str(programs / "bench_noop")
    clusters = {}
    try:
        for launcher in launchers:
            cluster = LauncherCluster(programs, launcher)
            clusters[launcher] = (cluster, 5 if launcher == "systemd" else 1, {"argv": [noop]})
            cluster.start()
        return measure({**clusters, **systemd_run_in_a_loop(noop, launchers)}, tasks)
    finally:
        for cluster, *_ in clusters.values():
            cluster.close()


def measure_containers(programs, tasks):
    with DockerEngine() as engine:
        engine.import_image("hakuriver/box:base")
        with LauncherCluster(programs, "plain", engine) as cluster:
            noop = pathlib.Path(shutil.copy(programs / "bench_noop", cluster.shared))
            limits = ["--init", "--network=host", "--cpus=1", "--memory=64m", f"--volume={cluster.shared}:{cluster.shared}"]
            run = ["docker", f"--host={engine.host}", "run", "--rm", *limits, "hakuriver/box:base", str(noop)]
            return measure({"plain": (cluster, 1, {"argv": [str(noop)]}),
                            "docker": (cluster, 10, {"argv": [str(noop)], "container": "box"}),
                            "`docker run --rm` in a loop": (Loop(lambda _: run), 10, {})}, tasks)


def measure_in_node(programs, tasks, launchers):
    """The same in a node with a real systemd."""
    with LabNode("bench", programs=programs) as node:
        done = node.run(["python3", __file__, programs, "--tasks", str(tasks), "--here", *launchers],
                        timeout=600)
        if done.status != 0:
            raise RuntimeError(done.out + done.err)
        return json.loads(done.out.splitlines()[-1])


def print_rows(found, where):
    wall, cpu = found["plain"]
    for name, (seconds, busy) in found.items():
        print(f"| {name} ({where}) | {seconds * 1e3:.2f} ms | {seconds / wall:.1f} | {busy * 1e3:.2f} ms "
              f"| {(busy - cpu) * 1e3:+.2f} ms |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="What a task costs with each launcher.")
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--tasks", type=int, default=500)
    parser.add_argument("--here", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    programs = options.programs.resolve()
    if options.here:
        print(json.dumps(measure_here(programs, options.tasks, options.here)))
        return
    lab.enter()
    print("| launcher | a task, start to end | of plain | CPU time | more than plain |\n|---|---|---|---|---|")
    print_rows(measure_here(programs, options.tasks, ["plain", "cgroup"]), "this machine")
    print_rows(measure_in_node(programs, options.tasks, ["plain", "systemd"]), "a node with systemd")
    if reason := reason_to_skip():
        print(f"no containers: {reason}", file=sys.stderr)
    else:
        print_rows(measure_containers(programs, options.tasks), "with docker")


if __name__ == "__main__":
    main()
