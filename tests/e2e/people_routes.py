"""The routes that clients and dashboards of the original HakuRiver use, over plain HTTP: fields, codes, ids as texts."""

import http.client
import json
import sys

from cluster import Cluster


class Caller:
    def __init__(self, cluster):
        self.port = cluster.port
        token = cluster.home / "token"
        self.headers = {"Authorization": f"Bearer {token.read_text().strip()}"} if token.exists() else {}

    def ask(self, method, path, body=None, headers=None):
        """Status, headers by lower-case name, body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, self.headers if headers is None else headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, text

    def json(self, method, path, body=None, code=200):
        status, headers, text = self.ask(method, path, body)
        assert status == code, (method, path, body, status, text)
        assert headers["content-type"] == "application/json", (path, headers)
        return json.loads(text)

    def invalid(self, method, path, body=None):
        """The places of a 422, which is a list as FastAPI writes it."""
        detail = self.json(method, path, body, 422)["detail"]
        assert isinstance(detail, list) and detail, detail
        for each in detail:
            assert set(each) == {"loc", "msg", "type"} and each["msg"] and each["type"], each
        return [each["loc"] for each in detail]


def check_submission(call):
    answer = call.json("POST", "/submit", {"command": "echo", "targets": ["node1", "nope", "node1:7"]}, 202)
    assert len(answer["task_ids"]) == 1 and answer["task_ids"][0].isdecimal(), answer
    assert [each["target"] for each in answer["failed_targets"]] == ["nope", "node1:7"], answer
    assert "failed_targets" not in call.json("POST", "/api/submit", {"command": "true", "unknown": 1}, 202)
    call.json("POST", "/submit", {"command": "true", "targets": ["nope"]}, 503)
    for body, place in (({}, ["command"]), ({"command": 5}, ["command"]), ({"command": "a\0b"}, ["command"]),
                        ({"command": "x", "arguments": [1]}, ["arguments", 0]),
                        ({"command": "x", "targets": ["a b"]}, ["targets", 0]),
                        ({"command": "x", "targets": [None]}, ["targets", 0]),
                        ({"command": "x", "targets": "node1"}, ["targets"]),
                        ({"command": "x", "env_vars": {"A": 1}}, ["env_vars", "A"]),
                        ({"command": "x", "env_vars": {"A=B": "1"}}, ["env_vars", "A=B"]),
                        ({"command": "x", "required_cores": -1}, ["required_cores"]),
                        ({"command": "x", "required_memory_bytes": 1.5}, ["required_memory_bytes"]),
                        ({"command": "x", "required_gpus": [[0]]}, ["required_gpus"]),
                        ({"command": "x", "task_type": "vps"}, ["task_type"]), ([], []), (b"{", []), (b"", [])):
        assert call.invalid("POST", "/submit", body) == [["body", *place]], body
    assert call.invalid("POST", "/submit", {"arguments": [1, 2]}) == [["body", "command"], ["body", "arguments", 0],
                                                                      ["body", "arguments", 1]]


def check_repetition(cluster, call):
    def submit(path, body, key):
        return call.ask("POST", path, body, {**call.headers, "Idempotency-Key": key})

    for path, body, other in (("/submit", {"command": "true"}, {"command": "false"}),
                              ("/api/v1/batches", {"argv": ["true"]}, {"argv": ["false"]})):
        first, again, changed = (submit(path, each, f"key-of-{path}") for each in (body, body, other))
        assert first[0] == again[0] == 202 and json.loads(first[2]) == json.loads(again[2]), (first, again)
        assert changed[0] == 409, changed
        for bad in ("a b", "x" * 65, "\xff"):
            status, _, text = submit(path, body, bad)
            assert (status, json.loads(text)["detail"][0]["loc"]) == (422, ["header", "Idempotency-Key"]), (bad, text)
    batch = json.loads(first[2])["batch_id"]
    hint = cluster.client("--stdout", batch, check=3).stderr
    assert "it is a batch, of task " in hint and hint.count("\n") == 1, hint


def check_commands(cluster, call):
    task = call.json("POST", "/submit", {"command": "sleep", "arguments": ["300"]}, 202)["task_ids"][0]
    cluster.wait_for_status(task, "running")
    call.json("POST", f"/command/{task}/resume", code=400)
    call.json("POST", f"/command/{task}/pause", code=200)
    cluster.wait_for_status(task, "paused")
    call.json("POST", f"/command/{task}/pause", code=400)
    call.json("POST", f"/api/command/{task}/resume", code=200)
    cluster.wait_for_status(task, "running")
    call.json("POST", f"/command/{task}/frob", code=404)
    call.json("POST", f"/kill/{task}", code=202)
    cluster.wait_for_status(task, "killed")
    call.json("POST", f"/api/kill/{task}", code=409)


def check_task(cluster, call):
    done = cluster.client("--wait", "--target", "node1", "--", "sh", "-c", "echo out; echo err >&2; exit 3", check=3)
    task = done.stdout.strip()
    record = call.json("GET", f"/status/{task}")
    expected = {"task_id": task, "command": "sh", "status": "failed", "assigned_node": "node1", "exit_code": 3,
                "env_vars": {}, "required_cores": 1, "required_memory_bytes": None, "target_numa_node_id": None,
                "systemd_unit_name": None, "assignment_suspicion_count": 0}
    assert {name: record[name] for name in expected} == expected, record
    for name in ("submitted_at", "started_at", "completed_at"):
        assert len(record[name]) == 32 and record[name].endswith("+00:00"), record[name]
    assert call.json("GET", f"/api/status/{task}") == record
    for name, text in (("stdout", b"out\n"), ("stderr", b"err\n")):
        for prefix in ("", "/api"):
            status, headers, body = call.ask("GET", f"{prefix}/task/{task}/{name}")
            assert (status, body) == (200, text), (status, body)
            assert headers["content-type"] == "text/plain; charset=utf-8", headers
    assert call.json("GET", "/tasks")[0]["task_id"] == task
    call.json("POST", f"/kill/{task}", code=409)
    call.json("POST", f"/command/{task}/pause", code=400)


def check_output_that_is_no_text(cluster, call):
    task = cluster.submit("--wait", "--", "printf", r"a\377\303\251\303")
    assert call.ask("GET", f"/task/{task}/stdout")[2] == "a\ufffdé\ufffd".encode()
    assert call.ask("GET", f"/api/v1/tasks/{task}/stdout")[2] == b"a\xff\xc3\xa9\xc3"


def check_unknown(call):
    for method, path in (("GET", "/status/1"), ("POST", "/kill/1"), ("POST", "/command/1/pause"),
                         ("GET", "/task/1/stdout"), ("GET", "/health?hostname=nope"), ("GET", "/nope"),
                         ("GET", "/status"), ("GET", "/api/v1/tasks?node=nope"), ("GET", "/api/v1/tasks?batch=7"),
                         ("POST", "/api/v1/nodes/nope/drain")):
        assert isinstance(call.json(method, path, code=404)["detail"], str), path
    for word in ("abc", "-1", "0", "1e5", "9" * 30, "%2e"):
        assert call.invalid("GET", f"/status/{word}") == [["path", "task_id"]], word
        assert call.invalid("POST", f"/kill/{word}") == [["path", "task_id"]], word
    for query in ("limit=-1", "limit=1001", "before=x", "batch=-1", "state=frob", "limt=5"):
        assert call.invalid("GET", f"/api/v1/tasks?{query}") == [["query", query.split("=")[0]]], query
    assert call.invalid("GET", "/api/v1/tasks/5?wait=301") == [["query", "wait"]]
    call.json("GET", "/tasks?nosuch=1")


def check_methods(call):
    """HEAD has the head of GET; what a route does not do is 405 with what it does, OPTIONS too: no page from elsewhere
    is let in."""
    for path in ("/nodes", "/tasks", "/health", "/api/v1/nodes"):
        status, headers, body = call.ask("HEAD", path)
        assert (status, body, headers["content-type"]) == (200, b"", "application/json"), (path, status, headers)
        for method in ("OPTIONS", "DELETE", "PUT", "PATCH", "TRACE"):
            status, headers, _ = call.ask(method, path)
            assert (status, headers["allow"]) == (405, "GET, HEAD"), (method, path, status, headers)
            assert not [name for name in headers if name.startswith("access-control")], headers
    status, headers, _ = call.ask("GET", "/submit")
    assert (status, headers["allow"]) == (405, "POST"), (status, headers)


def check_token(call):
    """With a token nothing but the token counts, whoever is asking from wherever."""
    evil = {"Host": "evil.example", "Origin": "http://evil.example"}
    for path in ("/nodes", "/status/1", "/nope", "/api/v1/tasks"):
        status, headers, _ = call.ask("GET", path, headers=evil)
        assert (status, headers["www-authenticate"]) == (401, "Bearer"), (path, status)
    assert call.ask("POST", "/submit", {"command": "true"}, evil)[0] == 401
    assert call.ask("GET", "/nodes", headers={**call.headers, **evil})[0] == 200
    for wrong in ("Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer " + "0" * 64, "Bearer " + "g" * 64):
        assert call.ask("GET", "/nodes", headers={"Authorization": wrong})[0] == 401, wrong


def check_browsers(call):
    """Without a token, a page from elsewhere gets nothing: neither by its own request nor by a name that is made to
    resolve to this machine."""
    ours = f"127.0.0.1:{call.port}"
    for headers, code in (({}, 200), ({"Host": f"localhost:{call.port}"}, 200), ({"Host": "evil.example"}, 421),
                          ({"Host": f"evil.example:{call.port}"}, 421), ({"Origin": f"http://{ours}"}, 200),
                          ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                          ({"Origin": f"http://127.0.0.1:{call.port + 1}"}, 403),
                          ({"Host": "evil.example", "Origin": "http://evil.example"}, 421)):
        for method, path, body in (("GET", "/nodes", None), ("HEAD", "/tasks", None), ("OPTIONS", "/submit", None),
                                   ("POST", "/submit", {"command": "true", "targets": ["nope"]}),
                                   ("POST", "/kill/1", None)):
            status = call.ask(method, path, body, headers)[0]
            refused = status in (403, 421)
            assert status == code if code != 200 else not refused, (method, path, headers, status)


def check_nodes(cluster, call):
    (node,) = call.json("GET", "/nodes")
    assert (node["hostname"], node["status"], node["total_cores"]) == ("node1", "online", 8), node
    assert isinstance(node["url"], str) and "0" in node["numa_topology"], node
    cluster.wait_until(lambda: call.json("GET", "/health")["nodes"][-1], "a sample that has the node")
    health = call.json("GET", "/health")
    assert 0 < len(health["nodes"]) == len(health["aggregate"]) <= 60, health
    last = health["nodes"][-1][0]
    for name in ("hostname", "status", "last_heartbeat", "cpu_percent", "memory_percent", "memory_used_bytes",
                 "memory_total_bytes", "total_cores", "url", "numa_topology"):
        assert name in last, (name, last)
    for name in ("totalNodes", "onlineNodes", "totalCores", "totalMemBytes", "usedMemBytes", "avgCpuPercent",
                 "avgMemPercent", "lastUpdated"):
        assert name in health["aggregate"][-1], (name, health["aggregate"][-1])
    one = call.json("GET", "/health?hostname=node1")
    assert [each["hostname"] for each in one["nodes"][-1]] == ["node1"], one


class OpenCluster(Cluster):
    """Without a token, which is allowed on the loopback."""

    def write_config(self):
        super().write_config()
        with open(self.home / "config.toml", "a") as file:
            file.write('[security]\nauth = "none"\n')

    def start(self):
        super().start()
        (self.home / "token").unlink()


with Cluster(sys.argv[1]) as running:
    caller = Caller(running)
    check_submission(caller)
    check_task(running, caller)
    check_repetition(running, caller)
    check_commands(running, caller)
    check_output_that_is_no_text(running, caller)
    check_unknown(caller)
    check_methods(caller)
    check_token(caller)
    check_nodes(running, caller)
with OpenCluster(sys.argv[1]) as running:
    check_browsers(Caller(running))
    assert running.json("--list-tasks")["tasks"] == []
