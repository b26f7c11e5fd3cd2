"""hakurun --to cluster: the same words, output, journal, results and exit status as here, as one request to the host."""

import csv
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time

from cluster import PATIENCE, Cluster

SCRIPT = 'echo "$HAKURUN_INDEX $1 $2"; echo "to stderr" >&2'


class Runs:
    def __init__(self, cluster):
        self.cluster = cluster
        self.hakurun = cluster.programs / "hakurun"

    def run(self, *words, check=0):
        done = subprocess.run([self.hakurun, *words], env=self.cluster.environment(), cwd=self.cluster.home,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        assert check is None or done.returncode == check, (words, done.returncode, done.stdout[-2000:], done.stderr[-2000:])
        return done

    def to_cluster(self, *words, check=0):
        return self.run("--to", "cluster", "--cores", "0", *words, check=check)

    def batches(self):
        tasks = self.cluster.json("--list-tasks", "--limit", "1000")["tasks"]
        return {task["batch_id"] for task in tasks}


def check_same_as_here(runs):
    """Two thousand commands on two nodes, in order, as one batch."""
    words = ("sh", "-c", SCRIPT, "sh", "span:1..40", "--lr=span:{0.01..0.50..0.01}")
    here = runs.run("-j", "4", "--keep-order", *words)
    there = runs.to_cluster("--keep-order", *words)
    assert there.stdout == here.stdout and len(there.stdout.splitlines()) == 2000
    first, *others = there.stderr.splitlines()
    assert first.startswith("hakurun: batch ") and first.endswith(" on the cluster: 2000 tasks"), first
    assert sorted(others) == sorted(here.stderr.splitlines())
    tasks = runs.cluster.json("--list-tasks", "--limit", "1000")["tasks"]
    assert {task["assigned_node"] for task in tasks} == {"node1", "node2"}
    assert len(runs.batches()) == 1


def check_outputs(runs):
    """Byte for byte, whether an output comes with its end (up to 4 KiB), by itself, or in parts (beyond 64 MiB)."""
    source = runs.cluster.home / "source"
    source.write_bytes(b"\xff\x80\0\n x" * (12 << 20))
    sizes = (0, 1, 4095, 4096, 4097, 300_000, (64 << 20) + 5)
    script = f"head -c $1 {source}; tail -c $2 {source} >&2"
    words = ("--keep-order", "--results", "outputs", "sh", "-c", script, "sh")
    everything = source.read_bytes()
    for out, err in [*((size, 4097 - min(size, 4097)) for size in sizes), (5, 5000), (5000, 5)]:
        shutil.rmtree(runs.cluster.home / "outputs", ignore_errors=True)
        with subprocess.Popen([runs.hakurun, "--to", "cluster", "--cores", "0", *words, str(out), str(err)],
                              env=runs.cluster.environment(), cwd=runs.cluster.home, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
            said = running.communicate(timeout=120)[1]
        assert running.returncode == 0, said[-2000:]
        [there] = (runs.cluster.home / "outputs").iterdir()
        assert (there / "stdout").read_bytes() == everything[:out], out
        assert (there / "stderr").read_bytes() == everything[len(everything) - err:], err


def check_shell(runs):
    words = ("--keep-order", "--shell", "printf '%s\\n'", "x=span:[a b,c$d,it's]", "{x}$HAKURUN_INDEX", "span:{1..2}",
             "|", "tr", "a-d", "A-D")
    here, there = runs.run("-j", "2", *words), runs.to_cluster(*words)
    assert there.stdout == here.stdout and there.stdout.startswith("x=A B\nA B1\n1\nx=A B\nA B2\n2\nx=C$D\n"), there.stdout


def check_records(runs):
    log = runs.cluster.home / "log"
    words = ("--joblog", log, "--results", "there", "--tag", "--name", "mine", "--env", "A=b", "sh", "-c",
             'echo "$A $1"; [ "$1" != n=3 ]', "sh", "n=span:1..5")
    done = runs.to_cluster(*words, check=1)
    assert sorted(done.stdout.splitlines()) == [f"n={i}\tb n={i}" for i in range(1, 6)], done.stdout
    assert runs.cluster.json("--list-tasks", "--name", "mine")["tasks"]


def check_journal(runs):
    log = runs.cluster.home / "log2"
    gate = runs.cluster.home / "gate"
    words = ("--joblog", log, "--results", "there2", "sh", "-c", f'echo "$1"; [ "$1" != 3 ] || [ -e {gate} ]', "sh",
             "span:1..5")
    done = runs.to_cluster(*words, check=1)
    assert "1 of 5" in done.stderr or "failed" in done.stderr, done.stderr
    with open(log, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert sorted((row["Seq"], row["Exitval"]) for row in rows) == [(str(i), "1" if i == 3 else "0") for i in range(1, 6)]
    folders = sorted(path.name for path in (runs.cluster.home / "there2").iterdir())
    assert len(folders) == 5, folders
    written = sorted(path.read_text() for path in (runs.cluster.home / "there2").glob("*/stdout"))
    assert written == [f"{i}\n" for i in range(1, 6)], written
    gate.touch()
    before = runs.batches()
    again = runs.to_cluster("--resume", *words)
    assert again.stdout == "3\n" and "4 of 5 left out" in again.stderr, again
    new = runs.batches() - before
    assert len(new) == 1
    assert len(runs.cluster.json("--list-tasks", "--batch", new.pop())["tasks"]) == 1


def check_retries(runs):
    marks = runs.cluster.home / "marks"
    marks.mkdir()
    done = runs.to_cluster("--retries", "2", "sh", "-c", f'mkdir {marks}/$1 2>/dev/null && exit 7; echo "$1"', "sh",
                           "span:1..20")
    assert sorted(map(int, done.stdout.split())) == list(range(1, 21)), done


def check_halt(runs):
    done = runs.run("--to", "cluster", "--cores", "8", "--halt", "now", "sh", "-c", '[ $1 != 1 ] || exit 3; sleep 300',
                    "sh", "span:1..200", check=1)
    assert "halted" in done.stderr, done.stderr
    live = runs.cluster.json("--list-tasks", "--state", "running")["tasks"]
    assert not live, live


def check_halt_soon(runs):
    """What runs ends as it likes, and nothing more starts."""
    log, gate = runs.cluster.home / "log3", runs.cluster.home / "gate3"
    script = f'[ $1 != 1 ] || exit 3; while [ ! -e {gate} ]; do sleep 0.05; done; echo $1'
    words = ["--to", "cluster", "--cores", "1", "--halt", "soon", "--name", "soon", "--joblog", log, "sh", "-c", script,
             "sh", "span:1..500"]
    with subprocess.Popen([runs.hakurun, *words], env=runs.cluster.environment(), cwd=runs.cluster.home, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        pending = lambda: runs.cluster.json("--list-tasks", "--name", "soon", "--state", "pending")["tasks"]
        killed = lambda: runs.cluster.json("--list-tasks", "--name", "soon", "--state", "killed")["tasks"]
        runs.cluster.wait_until(lambda: killed() and not pending(), "what waits is ended")
        gate.touch()
        out, said = running.communicate(timeout=PATIENCE)
    ran = len(out.split())
    assert running.returncode == 1 and 1 <= ran < 400, (running.returncode, ran, said)
    assert f"halted: {ran + 1} of 500 ended, 0 stopped, {499 - ran} not started" in said, (ran, said)
    assert len(log.read_text().splitlines()) == 1 + ran + 1
    tasks = runs.cluster.json("--list-tasks", "--name", "soon", "--limit", "1000")["tasks"]
    assert sum(task["status"] == "completed" for task in tasks) == ran, ran


def check_limit(runs):
    """At most so many at once, also where some are tried again."""
    count = runs.cluster.home / "count"
    count.mkdir()
    script = (f'mkdir {count}/$1 2>/dev/null; touch {count}/$1/$$; ls {count}/*/ | grep -c "^[0-9]"; sleep 0.05; '
              f'rm {count}/$1/$$; [ $1 != 3 ] || [ -e {count}/tried ] || {{ touch {count}/tried; exit 1; }}')
    done = runs.to_cluster("-j", "3", "--retries", "1", "sh", "-c", script, "sh", "span:1..30")
    seen = [int(line) for line in done.stdout.split()]
    assert len(seen) == 31 and max(seen) <= 3, seen


def check_targets(runs):
    for targets in (("node1",), ("node2", "node1")):
        runs.to_cluster("--name", "-".join(targets), *(word for each in targets for word in ("--target", each)), "sh",
                        "-c", "sleep 0.0$1", "sh", "span:1..9", "span:1..20")
        tasks = runs.cluster.json("--list-tasks", "--name", "-".join(targets), "--limit", "1000")["tasks"]
        assert len(tasks) == 180 and {task["assigned_node"] for task in tasks} == set(targets)
    done = runs.to_cluster("--target", "node1:0", "--target", "node1", "true", check=None)
    assert done.returncode != 0 and "'node1' is there before" in done.stderr, done
    done = runs.to_cluster("--target", "nowhere", "--target", "node1", "echo", "span:1..3")
    assert "nowhere: there is no node 'nowhere'" in done.stderr, done


def check_interrupt(runs):
    with subprocess.Popen([runs.hakurun, "--to", "cluster", "--name", "long", "sleep", "span:301..340"],
                          env=runs.cluster.environment(), cwd=runs.cluster.home, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        runs.cluster.wait_until(lambda: runs.cluster.json("--list-tasks", "--name", "long", "--state", "running")["tasks"],
                                "it runs")
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130 and "asked the cluster to end batch " in said, (running.returncode, said)
    states = {task["status"] for task in runs.cluster.json("--list-tasks", "--name", "long")["tasks"]}
    assert states == {"killed"}, states


def check_death(runs):
    """What was submitted goes on when hakurun is no more."""
    with subprocess.Popen([runs.hakurun, "--to", "cluster", "--name", "orphan", "sh", "-c", "sleep 2; echo $1", "sh",
                           "span:1..3"], env=runs.cluster.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        runs.cluster.wait_until(lambda: runs.cluster.json("--list-tasks", "--name", "orphan", "--state", "running")["tasks"],
                                "it runs")
        running.kill()
    tasks = runs.cluster.json("--list-tasks", "--name", "orphan")["tasks"]
    runs.cluster.client("--wait-for", tasks[0]["batch_id"], check=0)


def check_resumed_death(runs):
    """What still runs on the cluster when hakurun dies is followed by the run that resumes it, and not started twice."""
    log, ran, gate = (runs.cluster.home / name for name in ("log4", "ran4", "gate4"))
    ran.mkdir()
    script = (f'echo "$1" >> {ran}/$1; [ $1 != 2 ] || [ -e {gate} ] || exit 1; [ $1 -lt 4 ] || '
              f'while [ ! -e {gate} ]; do sleep 0.05; done; echo "$1"')
    words = ("--to", "cluster", "--cores", "0", "--name", "resumed", "--joblog", log, "sh", "-c", script, "sh", "span:1..8")
    with subprocess.Popen([runs.hakurun, *words], env=runs.cluster.environment(), cwd=runs.cluster.home,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        record = runs.cluster.home / "log4.cluster"
        runs.cluster.wait_until(lambda: record.exists() and len([line for line in record.read_text().splitlines()
                                                                 if line.startswith("end ")]) == 3, "three ended")
        running.kill()
    runs.cluster.wait_until(lambda: len(list(ran.iterdir())) == 8, "all have started")
    before = runs.batches()
    gate.touch()
    done = runs.run("--resume", *words)
    assert sorted(done.stdout.split()) == ["2", "4", "5", "6", "7", "8"], done
    new = runs.batches() - before
    assert len(new) == 1 and len(runs.cluster.json("--list-tasks", "--batch", new.pop())["tasks"]) == 1
    counts = {path.name: len(path.read_text().splitlines()) for path in ran.iterdir()}
    assert counts == {str(i): 2 if i == 2 else 1 for i in range(1, 9)}, counts
    assert not record.exists()
    assert "8 of 8 left out" in runs.run("--resume", *words).stderr


def check_world(runs):
    user = pwd.getpwuid(os.geteuid()).pw_name
    done = runs.to_cluster("--container", "NULL", "--user", user, "-k", "sh", "-c", 'id -un; echo "$1"', "sh", "span:1..2")
    assert done.stdout == f"{user}\n1\n{user}\n2\n", done
    done = runs.to_cluster("--user", "no-such-user", "true", "span:1..2", check=None)
    assert done.returncode not in (0, 5) and "no-such-user" in done.stderr, done


def check_refusals(runs):
    before = len(runs.batches())
    for words, line in ((("--to", "cluster", "--load", "3", "true"), "--load does not go with --to cluster"),
                        (("--to", "cluster", "--timeout", "200%", "true"),
                         "--timeout: with --to cluster expected a time such as 30s: its nodes do not know the median"),
                        (("--to", "cluster", "-j", "50%", "true"),
                         "--jobs: with --to cluster expected a number: there is no one machine's CPUs"),
                        (("--to", "cluster", "--stdin", "true"), "--stdin does not go with --to cluster"),
                        (("--to", "mars", "true"), "--to: 'mars': expected here or cluster"),
                        (("--to", "cluster", "--cores", "x", "true"),
                         "--cores: 'x' is not a number of cores: expected a number such as 4 or 0.5"),
                        (("--cores", "3", "true"),
                         "--cores needs --to cluster")):
        done = runs.run(*words, check=2)
        assert done.stderr == f"hakurun: {line}\n", done.stderr
    done = runs.run("--to", "cluster", "echo", "{%}", "span:1..2", check=None)
    assert done.returncode != 0 and "number of a slot" in done.stderr, done
    done = runs.run("--to", "cluster", "--target", "nowhere", "echo", "span:1..2", check=None)
    assert done.returncode not in (0, 5) and "nowhere" in done.stderr and "was not submitted" in done.stderr, done
    done = runs.run("--to", "cluster", "--host", "not a url", "echo", "span:1..2", check=2)
    assert len(runs.batches()) == before
    done = runs.to_cluster("no-such-command", "span:1..2", check=1)
    assert "exit 127, 'no-such-command': command not found on PATH" in done.stderr, done.stderr


def main():
    with Cluster(sys.argv[1], nodes=("node1", "node2")) as cluster:
        runs = Runs(cluster)
        for check in (check_same_as_here, check_outputs, check_shell, check_records, check_journal, check_retries, check_halt, check_halt_soon, check_limit,
                      check_targets, check_interrupt,
                      check_death, check_resumed_death, check_world, check_refusals):
            begin = time.monotonic()
            check(runs)
            print(f"{check.__name__}: {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
