"""Sweeps on a real cluster: one request with axes, expanded where the tasks run."""

import http.client
import json
import pathlib
import re
import subprocess
import sys
import time

from cluster import Cluster


class Caller:
    def __init__(self, cluster):
        self.port = cluster.port
        self.headers = {"Authorization": f"Bearer {(cluster.home / 'token').read_text().strip()}"}

    def json(self, method, path, body, code=200):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body if isinstance(body, bytes) else json.dumps(body), self.headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == code, (path, body, answer.status, text)
        return json.loads(text)

    def invalid(self, method, path, body):
        return [each["loc"] for each in self.json(method, path, body, 422)["detail"]]


def sweep_of(words, axes, **more):
    return {"sweep": {"words": words, "axes": axes, **more.pop("choice", {})}, "cores": 0, **more}


def submit(cluster, body, *words, check=0):
    return cluster.client("--sweep", "-", *words, stdin=json.dumps(body), check=check)


def ends_of(text):
    """By index: the fields of its line; and what each task wrote on stdout."""
    lines = text.split("\n")
    first = lines[0].split(" ")
    assert first[0] == "batch" and first[1].isdecimal(), first
    outputs, ends = {}, {}
    rest = text[len(lines[0]) + 1:]
    while rest:
        line, rest = rest.split("\n", 1)
        fields = line.split(" ", 13)
        if fields[0] == "output":
            outputs[int(fields[1]), fields[2]] = outputs.get((int(fields[1]), fields[2]), "") + rest[:int(fields[3])]
            rest = rest[int(fields[3]):]
        else:
            assert fields[0] == "end", line
            for index in range(int(fields[1]), int(fields[1]) + int(fields[2])):
                assert index not in ends, index
                ends[index] = fields
    return first, ends, outputs


def check_commands(cluster):
    """Every task has its own words, its own variables, and its own name."""
    body = sweep_of(["sh", "-c", 'echo "$HAKURUN_INDEX/$HAKURUN_TOTAL $HAKURUN_NAME $HAKURUN_PARAM_lr $*"', "sh",
                     ["--lr=", {"axis": "lr"}], {"axis": "seed"}, ["n", {"run": "number"}]],
                    [{"name": "lr", "values": ["0.1", "a b"]}, {"name": "seed", "first": 8, "last": 10, "width": 2}],
                    name="train")
    done = submit(cluster, body, "--follow", "--with-outputs")
    first, ends, outputs = ends_of(done.stdout)
    assert first[2] == "6" and sorted(ends) == list(range(6)), first
    wanted = [f"{i + 1}/6 lr={lr},seed={seed} {lr} --lr={lr} {seed} n{i + 1}\n"
              for i, (lr, seed) in enumerate((lr, seed) for lr in ("0.1", "a b") for seed in ("08", "09", "10"))]
    assert [outputs[i, "stdout"] for i in range(6)] == wanted, (outputs, wanted)
    task = cluster.status(str(int(first[1]) + 5))
    assert task["name"] == "train[lr=a b,seed=09]", task
    assert task["command"] == "sh" and task["arguments"][-3:] == ["--lr=a b", "09", "n5"], task
    listed = cluster.json("--list-tasks", "--batch", first[1])["tasks"]
    assert [each["arguments"][-1] for each in listed] == [f"n{i}" for i in range(6, 0, -1)], listed


def check_two_nodes(cluster):
    count = 2000
    body = sweep_of(["sh", "-c", 'echo $(($1 * 3)); [ $1 != 77 ]', "sh", {"axis": "i"}],
                    [{"name": "i", "first": 0, "last": count - 1}])
    done = submit(cluster, body, "--follow", "--with-outputs", check=1)
    first, ends, outputs = ends_of(done.stdout)
    assert len(ends) == count, len(ends)
    assert all(outputs[i, "stdout"] == f"{i * 3}\n" for i in range(count))
    assert [i for i in range(count) if ends[i][4] != "completed"] == [77], done.stderr
    assert ends[77][5:7] == ["0", "1"], ends[77]
    tasks = cluster.json("--list-tasks", "--batch", first[1], "--limit", "1000")["tasks"]
    assert {task["assigned_node"] for task in tasks} == {"node1", "node2"}
    again = cluster.client("--follow-batch", first[1], check=1)
    assert ends_of(again.stdout)[1].keys() == ends.keys()


def check_kill(cluster):
    body = sweep_of(["sleep", {"axis": "s"}], [{"name": "s", "first": 1001, "last": 21000}])
    body["cores"] = 1
    batch = submit(cluster, body).stdout.strip()
    words = [cluster.programs / "hakuriver.client", "--follow-batch", batch]
    with subprocess.Popen(words, env=cluster.environment(), stdout=subprocess.PIPE, text=True) as follower:
        cluster.wait_until(lambda: cluster.status(str(int(batch) + 1))["status"] == "running", "the first one runs")
        cluster.client("--kill", batch, check=0)
        text = follower.stdout.read()
    assert follower.returncode == 1
    _, ends, _ = ends_of(text)
    assert len(ends) == 20000 and {fields[4] for fields in ends.values()} == {"killed"}


def check_kill_pending(cluster, call):
    body = sweep_of(["sleep", {"axis": "s"}], [{"name": "s", "first": 1001, "last": 1500}], cores=1, max_running=2)
    batch = submit(cluster, body).stdout.strip()
    first = str(int(batch) + 1)
    cluster.wait_until(lambda: cluster.status(first)["status"] == "running", "the first one runs")
    cluster.wait_until(lambda: len(cluster.json("--list-tasks", "--batch", batch, "--state", "running")["tasks"]) == 2,
                       "two run")
    waiting = cluster.status(str(int(batch) + 3))
    assert waiting["status"] == "pending" and "its batch runs 2 at once" in str(waiting), waiting
    done = cluster.client("--kill-pending", batch, check=0)
    assert "498 tasks ended before they started" in done.stdout + done.stderr, done
    assert len(cluster.json("--list-tasks", "--batch", batch, "--state", "running")["tasks"]) == 2
    call.json("POST", f"/api/v1/tasks/{batch}/kill-pending", {}, 409)
    cluster.client("--kill", batch, check=0)
    cluster.client("--wait-for", batch, check=1)


def check_refusals(cluster, call):
    good = sweep_of(["true"], [{"name": "a", "values": ["1"]}])
    for change, place in (({"words": [{"axis": "b"}]}, ["sweep", "words", 0, "axis"]), ({"axes": 1}, ["sweep", "axes"]),
                          ({"places": [[1, 1]]}, ["sweep", "places"]), ({"more": 1}, ["sweep", "more"])):
        body = {**good, "sweep": {**good["sweep"], **change}}
        assert call.invalid("POST", "/api/v1/batches", body) == [["body", *place]], change
    assert call.invalid("POST", "/api/v1/batches", {**good, "argv": ["x"]}) == [["body", "argv"]]
    for body in ({"open": [[3, 0]]}, {"open": [[3, 1], [2, 1]]}, {"limit": 0}, {"wait": 301}, [], b"{"):
        assert call.invalid("POST", "/api/v1/batches/1/ends", body), body
    call.json("POST", "/api/v1/batches/1/ends", {}, 404)
    done = submit(cluster, {"argv": ["x"]}, check=2)
    assert done.stderr == "hakuriver.client: --sweep: -: 'sweep' is required\n", done.stderr
    nowhere = cluster.home / "nowhere"
    done = cluster.client("--sweep", nowhere, check=3)
    assert done.stderr == f"hakuriver.client: --sweep: '{nowhere}' cannot be read\n", done.stderr


def memory_of(process):
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])


def check_million(cluster, call):
    """A million tasks cost the host no more than a hundred do; printed, for machines differ in speed."""
    body = sweep_of(["sleep", {"axis": "a"}, {"axis": "b"}], [{"name": "a", "first": 1001, "last": 2000},
                                                             {"name": "b", "first": 1, "last": 1000}], targets=["node1"])
    body["cores"] = 8
    call.json("POST", "/api/v1/batches", body | {"sweep": sweep_of(["true"], [{"name": "a", "values": ["1"]}])["sweep"]}, 202)
    before = memory_of(cluster.host.process)
    begin = time.monotonic()
    answer = call.json("POST", "/api/v1/batches", body, 202)
    took = time.monotonic() - begin
    assert answer["count"] == 1_000_000 and "task_ids" not in answer, answer
    grown = memory_of(cluster.host.process) - before
    print(f"a million tasks submitted in {took * 1000:.1f} ms, {grown} KiB")
    assert grown < 4096, grown
    last = cluster.status(str(int(answer["batch_id"]) + 1_000_000))
    assert last["arguments"] == ["2000", "1000"] and last["name"] == "a=2000,b=1000", last
    cluster.client("--kill", answer["batch_id"], check=0)
    cluster.client("--wait-for", answer["batch_id"], check=1)


def main():
    with Cluster(sys.argv[1], nodes=("node1", "node2")) as cluster:
        call = Caller(cluster)
        check_commands(cluster)
        check_two_nodes(cluster)
        check_kill(cluster)
        check_kill_pending(cluster, call)
        check_refusals(cluster, call)
        check_million(cluster, call)


if __name__ == "__main__":
    main()
