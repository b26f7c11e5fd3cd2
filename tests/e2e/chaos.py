"""Promises 1, 2, 3 and 5 under kill -9: chaos.py DIRECTORY_OF_PROGRAMS [SECONDS]

A host and three runners work under a steady load while they are killed and started again at random; then it is quiet,
and what was acknowledged is held against what happened. A second stage kills the keepers too. HAKURIVER_CHAOS_SECONDS
is how long the killing goes on (SECONDS, or 60), HAKURIVER_CHAOS_SEED repeats a sequence of decisions, and
HAKURIVER_CHAOS_KEEP keeps the files where something was wrong.
"""

import collections
import os
import pathlib
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

from chaos_cluster import Cluster, Connection

FINAL = {"completed", "failed", "killed", "killed_oom"}
SETTLE_WITHIN = 90
MOST_OPEN = 150

# $1 is the directory of side files. ">>" appends with O_APPEND and echo writes once, so that no line is ever lost.
TELL = 'echo "$HAKURIVER_TASK_ID $HAKURIVER_TASK_ATTEMPT" >> "$1/$HAKURIVER_TASK_ID"; '
SCRIPTS = {
    "quick": TELL + 'echo "out $2"; echo "err $2" >&2; exit $3',
    "slow": TELL + 'echo "out $2"; echo "err $2" >&2; sleep $4; echo "end $2"; exit $3',
    "long": TELL + 'seq 1 20000; echo "err $2" >&2; exit $3',
    "litter": TELL + 'echo "out $2"; echo "err $2" >&2; setsid sleep 1000 & env -i sleep 1000 & exit $3',
    "signal": TELL + 'echo "out $2"; echo "err $2" >&2; kill -9 $$',
    "victim": TELL + 'echo "out $2"; echo "err $2" >&2; sleep 1000 & sleep 1000',
    "deaf": TELL + 'trap "" TERM; echo "out $2"; echo "err $2" >&2; sleep 1000; sleep 1000; sleep 1000',
}
TO_BE_KILLED = {"victim", "deaf"}


class Submission:
    def __init__(self, name, draw, side):
        self.name = name
        self.kind = draw.choices(list(SCRIPTS), weights=(40, 30, 5, 8, 4, 10, 3))[0]
        self.exit_code = draw.choice((0, 0, 0, 1, 3, 77, 125, 255))
        self.argv = ["/bin/sh", "-c", SCRIPTS[self.kind], "task", str(side), name, str(self.exit_code),
                     f"{draw.uniform(0.1, 3):.2f}"]
        self.targets = draw.choice(((), (), (), ("n1",), ("n2", "n3"), ("n1", "n2", "n3")))
        self.count = max(len(self.targets), 1)
        self.answer = None
        self.task_ids = []

    def body(self):
        return {"argv": self.argv, "cores": 0.1, "targets": list(self.targets), "name": self.name,
                "submission_id": self.name}

    def words(self):
        targets = [word for target in self.targets for word in ("--target", target)]
        return ["--cores", "0.1", "--name", self.name, *targets, "--", *self.argv]

    def out(self):
        if self.kind == "long":
            return "".join(f"{number}\n" for number in range(1, 20001))
        return f"out {self.name}\n" + (f"end {self.name}\n" if self.kind == "slow" else "")

    def is_own_end(self, task):
        """Whether the task ended as its command says."""
        if self.kind in TO_BE_KILLED:
            return False
        if self.kind == "signal":
            return task["status"] == "failed" and task["outcome"] == {"kind": "signaled", "value": 9}
        return (task["status"], task["exit_code"]) == ("failed" if self.exit_code else "completed", self.exit_code)


class Chaos:
    def __init__(self, cluster, side, seed, stage):
        self.cluster = cluster
        self.side = side
        self.seed = seed
        self.stage = stage
        self.quiet = threading.Event()
        self.lock = threading.Lock()
        self.submissions = {}
        self.kill_wishes = set()
        self.final_seen = {}
        self.open_tasks = 0
        self.faults = []
        self.counts = collections.Counter()

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def run_guarded(self, work, name):
        try:
            work(random.Random(f"{self.seed} {self.stage} {name}"), name)
        except Exception as error:  # a thread's death must not pass for success
            self.fault(f"{name}: {error!r}")

    def new_submission(self, draw, name):
        submission = Submission(name, draw, self.side)
        with self.lock:
            self.submissions[name] = submission
        return submission

    def wait_for_room(self):
        while self.open_tasks > MOST_OPEN and not self.quiet.is_set():
            time.sleep(0.05)

    # The load

    def submit_by_http(self, draw, thread):
        connection = Connection(self.cluster)
        number = 0
        while not self.quiet.is_set():
            number += 1
            one = self.new_submission(draw, f"{self.stage}-{thread}-{number}")
            headers = {"Idempotency-Key": one.name}
            for again in range(draw.choice((1, 1, 1, 2))):
                status, reply = connection.insist("POST", "/api/v1/batches", one.body(), headers)
                if status != 202:
                    self.fault(f"{one.name}: {status} {reply[:300]!r}")
                    break
                if one.answer not in (None, reply):
                    self.fault(f"{one.name}: the repetition was answered {reply!r}, the first was {one.answer!r}")
                self.counts["repeated" if again else "acknowledged"] += 1
                one.answer = reply
            self.quiet.wait(draw.uniform(0, 0.3))
            self.wait_for_room()
        connection.close()

    def submit_by_client(self, draw, thread):
        number = 0
        while not self.quiet.is_set():
            number += 1
            one = self.new_submission(draw, f"{self.stage}-{thread}-{number}")
            status, out = self.cluster.client(*one.words())
            if status == 0:
                one.answer = out
                one.task_ids = out.split()
                self.counts["acknowledged"] += 1
            else:
                self.fault(f"{one.name}: the client, which tries for 30 s, ended with {status}")
            self.quiet.wait(draw.uniform(0, 0.3))
            self.wait_for_room()

    # The watching: a final state stays

    def watch(self, _draw, _thread):
        connection = Connection(self.cluster)
        while not self.quiet.is_set():
            self.note(connection.get("/api/v1/tasks?limit=400")["tasks"])
            self.quiet.wait(0.2)
        connection.close()

    def note(self, tasks):
        for task in tasks:
            now = tuple(task[key] for key in ("status", "exit_code", "attempt", "assigned_node"))
            before = self.final_seen.get(task["task_id"])
            if before not in (None, now):
                self.fault(f"task {task['task_id']} was final as {before} and is {now}")
            if task["status"] in FINAL:
                self.final_seen[task["task_id"]] = now
        self.open_tasks = sum(task["status"] not in FINAL for task in tasks)

    # The killing

    def kill_tasks(self, draw, _thread):
        connection = Connection(self.cluster)
        while not self.quiet.is_set():
            tasks = [task for task in connection.get("/api/v1/tasks?limit=400")["tasks"]
                     if task["status"] not in FINAL]
            victims = [task for task in tasks if self.kind_of(task) in TO_BE_KILLED]
            chosen = draw.sample(victims, min(len(victims), 6)) + draw.sample(tasks, min(len(tasks), 1))
            if chosen:
                self.kill_by_client([task["task_id"] for task in chosen])
            self.quiet.wait(draw.uniform(0.1, 0.5))
        connection.close()

    def kind_of(self, task):
        with self.lock:
            one = self.submissions.get(task["name"])
        return one.kind if one else None

    def kill_by_client(self, ids):
        self.kill_wishes.update(ids)
        self.counts["tasks killed"] += len(ids)
        self.cluster.client(*[word for task in ids for word in ("--kill", task)])

    def kill_programs(self, draw, _thread):
        with_keepers = self.stage == 2
        while not self.quiet.wait(draw.uniform(0.1, 1.2)):
            keepers = self.cluster.keepers() if with_keepers else []
            hit = draw.random()
            if keepers and hit < 0.4:
                try:
                    os.kill(draw.choice(keepers), 9)
                    self.counts["keepers killed"] += 1
                except ProcessLookupError:
                    pass
                continue
            programs = draw.sample([self.cluster.host, *self.cluster.runners], draw.choice((1, 1, 1, 2, 4)))
            for program in programs:
                program.kill(draw.choice((0, 0, 0, 0.3)))
                self.counts["hosts killed" if program is self.cluster.host else "runners killed"] += 1

    # The course

    def run(self, seconds):
        threads = [threading.Thread(target=self.run_guarded, args=(work, name)) for work, name in (
            (self.submit_by_http, "http1"), (self.submit_by_http, "http2"), (self.submit_by_client, "client"),
            (self.watch, "watch"), (self.kill_tasks, "kill-tasks"), (self.kill_programs, "kill-programs"))]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.quiet.set()
        for thread in threads:
            thread.join(120)
            if thread.is_alive():
                self.fault(f"{thread.name} hangs")
        return self.settle()

    def settle(self):
        """Every task of the host, once all have ended."""
        connection = Connection(self.cluster)
        began = time.monotonic()
        asked = set()
        while True:
            tasks = connection.all_tasks()
            self.note(tasks)
            unfinished = [task for task in tasks if task["status"] not in FINAL]
            late = {task["task_id"] for task in unfinished if self.kind_of(task) in TO_BE_KILLED} - asked
            for task in late:
                asked.add(task)
                self.kill_wishes.add(task)
                connection.insist("POST", f"/api/v1/tasks/{task}/kill")
            if not unfinished:
                break
            if time.monotonic() - began > SETTLE_WITHIN:
                for task in unfinished[:5]:
                    self.fault(f"not final after {SETTLE_WITHIN} s of quiet: {task}")
                break
            time.sleep(0.2)
        self.counts["settled in seconds"] = round(time.monotonic() - began, 1)
        connection.close()
        return tasks

    # What must be true

    def check(self, tasks):
        by_name = collections.defaultdict(list)
        for task in tasks:
            by_name[task["name"]].append(task)
        self.counts["tasks"] = len(tasks)
        for name in by_name.keys() - self.submissions.keys():
            self.fault(f"nobody submitted {name}")
        connection = Connection(self.cluster)
        for name, one in self.submissions.items():
            mine = by_name[name]
            if one.answer is not None and len(mine) != one.count:
                self.fault(f"{name}: {len(mine)} tasks instead of {one.count}, answered {one.answer!r}")
            if len(mine) > one.count:
                self.fault(f"{name} was doubled: {[task['task_id'] for task in mine]}")
            if one.task_ids and sorted(one.task_ids) != sorted(task["task_id"] for task in mine):
                self.fault(f"{name}: the client printed {one.task_ids}")
            for task in mine:
                self.check_task(one, task, connection)
        connection.close()
        for pid, _ in self.leftover_processes():
            self.fault(f"left running: {self.cluster.describe(pid)}")

    def leftover_processes(self):
        end = time.monotonic() + 5
        while self.cluster.leftovers() and time.monotonic() < end:
            time.sleep(0.1)
        return self.cluster.leftovers()

    def check_task(self, one, task, connection):
        what = f"task {task['task_id']} ({one.name}, {one.kind}, exit {one.exit_code})"
        about = {key: task[key] for key in ("status", "exit_code", "outcome", "attempt", "assigned_node", "message")}
        side = self.side / task["task_id"]
        starts = side.read_text(encoding="utf-8").splitlines() if side.exists() else []
        self.counts["starts"] += len(starts)
        if len(starts) > 1:
            self.fault(f"{what} was started {len(starts)} times: {starts}; {about}")
        is_killed = task["status"] == "killed" and task["task_id"] in self.kill_wishes
        is_unknown = self.stage == 2 and (task["outcome"] or {}).get("kind") == "unknown"
        self.counts["outcome unknown"] += is_unknown
        if not is_killed and not is_unknown and not one.is_own_end(task):
            self.fault(f"{what} ended wrongly: {about}, starts {starts}")
        if is_killed or is_unknown:
            return
        if not starts:
            self.fault(f"{what} never ran: {about}")
        for stream, expected in (("stdout", one.out()), ("stderr", f"err {one.name}\n")):
            status, got = connection.insist("GET", f"/api/v1/tasks/{task['task_id']}/{stream}")
            if status != 200 or got.decode() != expected:
                self.fault(f"{what}: {stream} is {status} {got[:200]!r} ({len(got)} bytes)")

    def check_memory(self, tasks):
        """A host killed in quiet knows the same afterwards."""
        self.cluster.host.kill()
        connection = Connection(self.cluster)
        keys = ("task_id", "status", "exit_code", "attempt")
        before, after = ([tuple(task[key] for key in keys) for task in known] for known in
                         (tasks, connection.all_tasks()))
        if before != after:
            self.fault(f"a quiet restart changed {sorted(set(before) ^ set(after))[:4]}")
        connection.close()


def check_database(cluster):
    database = sqlite3.connect(cluster.home / "hakuriver.db")
    answer = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    return [] if answer == [("ok",)] else [f"integrity_check: {answer[:5]}"]


def run_stage(programs, scratch, seed, stage, seconds):
    home, side = scratch / f"home{stage}", scratch / f"side{stage}"
    home.mkdir(mode=0o700)
    side.mkdir()
    cluster = Cluster(programs, home)
    try:
        cluster.wait_until_ready()
        chaos = Chaos(cluster, side, seed, stage)
        tasks = chaos.run(seconds)
        chaos.check(tasks)
        chaos.check_memory(tasks)
        cluster.stop()
        faults = chaos.faults + check_database(cluster)
        for program in (cluster.host, *cluster.runners):
            faults += program.own_ends
    finally:
        cluster.clear()
    numbers = ", ".join(f"{what} {number}" for what, number in sorted(chaos.counts.items()))
    print(f"stage {stage}: submitted {len(chaos.submissions)}, {numbers}; {len(faults)} faults", flush=True)
    for fault in faults[:20]:
        print("  " + fault, flush=True)
    return not faults


def main():
    programs = pathlib.Path(sys.argv[1]).resolve()
    seconds = float(os.environ.get("HAKURIVER_CHAOS_SECONDS") or (sys.argv[2] if len(sys.argv) > 2 else 60))
    seed = os.environ.get("HAKURIVER_CHAOS_SEED") or str(random.randrange(10**9))
    print(f"HAKURIVER_CHAOS_SEED={seed} HAKURIVER_CHAOS_SECONDS={seconds:g}", flush=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-chaos-"))
    is_good = False
    try:
        stages = [run_stage(programs, scratch, seed, stage, length) for stage, length in
                  ((1, seconds * 2 / 3), (2, seconds / 3))]
        is_good = all(stages)
    finally:
        if is_good or "HAKURIVER_CHAOS_KEEP" not in os.environ:
            shutil.rmtree(scratch, ignore_errors=True)
        else:
            print(f"files are in {scratch}")
    sys.exit(0 if is_good else 1)


main()
