"""The routes that clients and dashboards of the original HakuRiver use, over plain HTTP: fields, codes, ids as texts."""

import http.client
import json
import sys

from cluster import Cluster


class Caller:
    def __init__(self, cluster):
        self.port = cluster.port
        self.token = (cluster.home / "token").read_text().strip()

    def __call__(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, path, data, {"Authorization": f"Bearer {self.token}"} if headers is None else headers)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    def json(self, method, path, body=None, code=200):
        status, text = self(method, path, body)
        assert status == code, (method, path, body, status, text)
        return json.loads(text)


def check_submission(call):
    answer = call.json("POST", "/submit", {"command": "echo", "targets": ["node1", "nope", "node1:7"]}, 202)
    assert len(answer["task_ids"]) == 1 and answer["task_ids"][0].isdecimal(), answer
    assert [each["target"] for each in answer["failed_targets"]] == ["nope", "node1:7"], answer
    assert "failed_targets" not in call.json("POST", "/api/submit", {"command": "true", "unknown": 1}, 202)
    call.json("POST", "/submit", {"command": "true", "targets": ["nope"]}, 503)
    for body, place in (({}, ["command"]), ({"command": 5}, ["command"]), ({"command": "a\0b"}, ["command"]),
                        ({"command": "x", "arguments": [1]}, ["arguments", 0]),
                        ({"command": "x", "targets": ["a b"]}, ["targets", 0]),
                        ({"command": "x", "env_vars": {"A": 1}}, ["env_vars", "A"]),
                        ({"command": "x", "required_cores": -1}, ["required_cores"]),
                        ({"command": "x", "required_gpus": [[0]]}, ["required_gpus"]),
                        ({"command": "x", "task_type": "vps"}, ["task_type"])):
        detail = call.json("POST", "/submit", body, 422)["detail"]
        assert detail[0]["loc"] == ["body", *place] and detail[0]["msg"] and detail[0]["type"], (body, detail)


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
    assert call("GET", f"/task/{task}/stdout") == (200, b"out\n")
    assert call("GET", f"/task/{task}/stderr") == (200, b"err\n")
    assert call.json("GET", "/tasks")[0]["task_id"] == task
    call.json("POST", f"/kill/{task}", code=409)
    call.json("POST", f"/command/{task}/pause", code=400)


def check_unknown(call):
    for method, path in (("GET", "/status/1"), ("POST", "/kill/1"), ("POST", "/command/1/pause"),
                         ("GET", "/task/1/stdout"), ("GET", "/health?hostname=nope"), ("GET", "/nope")):
        assert call.json(method, path, code=404)["detail"]
    call.json("GET", "/status/abc", code=422)
    call.json("DELETE", "/nodes", code=405)


def check_nodes(call):
    (node,) = call.json("GET", "/nodes")
    assert (node["hostname"], node["status"], node["total_cores"]) == ("node1", "online", 8), node
    assert isinstance(node["url"], str) and "0" in node["numa_topology"], node
    assert set(call.json("GET", "/health")) >= {"nodes", "aggregate"}


with Cluster(sys.argv[1]) as running:
    caller = Caller(running)
    check_submission(caller)
    check_task(running, caller)
    check_unknown(caller)
    check_nodes(caller)
