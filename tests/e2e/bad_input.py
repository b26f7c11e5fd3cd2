"""Bad input of every kind: one clear line, the right exit status or code, and no task."""

import json
import random
import socket
import subprocess
import sys
import threading
import time

from cluster import Cluster
from http.client import HTTPConnection

USAGE = (["--nosuch"], ["--target", "node1:x", "--", "true"], ["--cores", "x", "--", "true"],
         ["--memory", "8Q", "--", "true"], ["--env", "A", "--", "true"], ["--env", "=x", "--", "true"],
         ["--status", "abc"], ["--kill", ""], ["--config", "/nope", "-l"], ["--host", "ftp://x", "-l"],
         ["--list-tasks", "--state", "frob"], ["--cwd", "rel", "--", "pwd"], ["--", ""],
         ["--name", "a" * 5000, "--", "true"], ["--privileged", "--container", "NULL", "--", "true"])
REFUSED = (["--target", "nope", "--", "true"], ["--target", "node1:9", "--", "true"], ["--cores", "9", "--", "true"],
           ["--container", "env", "--", "true"], ["--memory", "100T", "--", "true"])
UNKNOWN = (["--status", "12"], ["--stdout", "12"], ["--kill", "12"], ["--health", "nope"], ["--drain", "nope"])
CONFIGURATIONS = ("[network]\nhost_prt = 1\n", "[network]\nhost_port = 99999\n", "[netw", "\xff\n",
                  '[security]\nauth = "none"\n[network]\nhost_bind_ip = "0.0.0.0"\n',
                  '[paths]\nshared_dir = "/proc/nope"\n', '[database]\ndb_file = "/nope/x.db"\n',
                  '[database]\ndb_file = "/usr"\n')


def check_client(cluster):
    for code, cases in ((2, USAGE), (1, REFUSED), (3, UNKNOWN)):
        for words in cases:
            done = cluster.client(*words, check=code)
            assert done.stderr.count("\n") == 1 and not done.stdout, (words, done)
    cluster.client("--host", "http://127.0.0.1:1", "-l", check=5)


def check_bodies(cluster):
    token = (cluster.home / "token").read_text().strip()
    bearer = {"Authorization": f"Bearer {token}"}
    for body, headers, code in ((b"", bearer, 422), (b"[]", bearer, 422), (b"{", bearer, 422),
                                (b'{"command":"\xff"}', bearer, 422), (b"[" * 100000, bearer, 422),
                                (b'{"command":"x","command":"y"}', bearer, 422), (b"{}", {}, 401),
                                (b"{}", {"Authorization": "Bearer wrong"}, 401)):
        for path in ("/submit", "/api/v1/batches"):
            connection = HTTPConnection("127.0.0.1", cluster.port, timeout=30)
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
            assert status == code, (path, body[:40], headers, status)
            connection.close()


def talk(cluster, data, patience=10):
    """All that the host says to these bytes, until it hangs up or says nothing more."""
    said = b""
    with socket.create_connection(("127.0.0.1", cluster.port), patience) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                said += part
        except ConnectionError:  # it may hang up while we are still sending
            pass
    return said


def check_garbage(cluster):
    """Whatever comes to the port: an answer with the right code or none, and nobody else notices."""
    token = (cluster.home / "token").read_text().strip().encode()
    post = b"POST /submit HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n"
    get = b"GET /nodes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token + b"\r\n"
    for data, code in ((get + b"A: " + b"x" * 200000 + b"\r\n\r\n", 431), (get + b"A: b\r\n" * 5000 + b"\r\n", 431),
                       (b"GET /" + b"x" * 200000 + b" HTTP/1.1\r\n\r\n", 414),
                       (post + b"Content-Length: 999999999999\r\n\r\n", 413),
                       (post + b"Content-Length: 99999999999999999999999\r\n\r\n", 413),
                       (post + b"Content-Length: -1\r\n\r\n", 400), (post + b"Content-Length: 1 2\r\n\r\n", 400),
                       (post + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400),
                       (post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                       (post + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
                       (post + b"Transfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 413),
                       (post + b"Transfer-Encoding: gzip\r\n\r\n", 501), (get + b"A\0B: c\r\n\r\n", 400),
                       (b"FROB / HTTP/1.1\r\nHost: x\r\n\r\n", 400), (b"GET / HTTP/9.9\r\nHost: x\r\n\r\n", 505),
                       (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400)):
        said = talk(cluster, data)
        assert said.startswith(b"HTTP/1.1 "), (data[-60:], said[:80])
        assert int(said.split()[1]) == code, (data[-60:], code, said[:80])
        assert b'{"detail":"' in said, said
    noise = random.Random(1)
    for _ in range(100):
        piece = noise.choice((b"", get, post, get[:40], post + b"Content-Length: 9\r\n\r\n", b"\x16\x03\x01\x02\x00"))
        said = talk(cluster, piece + noise.randbytes(noise.randrange(300)))
        assert not said or said.startswith(b"HTTP/1.1 4"), said[:80]


def check_slow_connections(cluster):
    slow = [socket.create_connection(("127.0.0.1", cluster.port)) for _ in range(100)]
    for connection in slow:
        connection.sendall(b"POST /submit HTTP/1.1\r\nHost: x\r\nContent-Le")
    begin = time.monotonic()
    for _ in range(5):
        cluster.client("--list-nodes", check=0)
    assert time.monotonic() - begin < 5
    for connection in slow:
        connection.close()


def mutations(noise, value):
    """The value with one part of it replaced, dropped or repeated."""
    strange = (None, True, -1, 2 ** 64, 1e300, 0.1, "", "x" * 300, "\0", "\x1b[31m", [], [[]], {}, {"base64": "/w=="},
               {"base64": 5}, "NULL", "node1:99999999999", [None] * 5)
    changed = json.loads(json.dumps(value))
    name = noise.choice(list(changed))
    kind = noise.randrange(4)
    if kind == 0:
        changed[name] = noise.choice(strange)
    elif kind == 1:
        del changed[name]
    elif kind == 2 and isinstance(changed[name], list):
        changed[name].append(noise.choice(strange))
    else:
        changed["x" * noise.randrange(70)] = noise.choice(strange)
    text = json.dumps(changed).encode()
    cut = noise.randrange(len(text))
    return text[:cut] if noise.randrange(8) == 0 else text


def check_mutated_bodies(cluster):
    token = (cluster.home / "token").read_text().strip()
    noise = random.Random(2)
    seed = {"command": "true", "arguments": ["a"], "env_vars": {"A": "b"}, "required_cores": 1000,
            "required_memory_bytes": None, "targets": ["nope"], "container_name": None, "privileged": False}
    ours = {"argv": ["true"], "environment": {"A": "b"}, "cores": 1000, "memory": "1T", "targets": ["nope"], "name": "n",
            "cwd": "/", "count": 1, "container": "NULL", "mounts": [], "submission_id": "x"}
    connection = HTTPConnection("127.0.0.1", cluster.port, timeout=30)
    for _ in range(400):
        path, body = noise.choice((("/submit", seed), ("/api/v1/batches", ours)))
        text = mutations(noise, body)
        connection.request("POST", path, text, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        detail = json.loads(answer.read())["detail"]
        assert answer.status in (422, 503), (path, text, answer.status, detail)
        assert isinstance(detail, list if answer.status == 422 else str), (path, text, detail)
    connection.close()


def check_pages_of_large_tasks(cluster):
    """Many commands of a megabyte are no gigabyte in one answer."""
    token = (cluster.home / "token").read_text().strip()
    connection = HTTPConnection("127.0.0.1", cluster.port, timeout=30)

    def ask(method, path, body=None):
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status // 100 == 2 and len(text) < 20 << 20, (path, answer.status, len(text))
        return json.loads(text)

    batch = ask("POST", "/api/v1/batches", json.dumps({"argv": ["true", *["x" * 130000] * 8], "count": 60}))
    seen, before = 0, ""
    while before is not None:
        page = ask("GET", f"/api/v1/tasks?limit=1000&batch={batch['batch_id']}{before}")
        seen += len(page["tasks"])
        before = f"&before={page['next']}" if page["next"] else None
    assert seen == 60, seen
    assert 0 < len(ask("GET", "/tasks")) < 60
    connection.close()
    cluster.client("--wait-for", batch["batch_id"], check=0)


def check_strange_hosts(cluster):
    """A client that does not talk to a host of ours: one line, no hang, nothing that moves the cursor."""
    answers = (b"", b"\x1b[31m\0\xff" * 50, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
               b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>",
               b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
               b'HTTP/1.1 500 X\r\nContent-Length: 26\r\n\r\n{"detail":"\\u001b[31m\\n\\n"}',
               b"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
               b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 100000,
               b"HTTP/1.1 200 OK\r\nContent-Length: 100002\r\n\r\n" + b"[" * 100002)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(answer):
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                with connection:
                    try:
                        if connection.recv(65536) == b"stop":
                            return
                        connection.sendall(answer)
                    except ConnectionError:
                        pass

        port = server.getsockname()[1]
        for answer in answers:
            thread = threading.Thread(target=serve, args=(answer,), daemon=True)
            thread.start()
            for words in (["--list-nodes"], ["--list-tasks", "-o", "json"], ["--status", "5"], ["--health", "n"],
                          ["--kill", "5"], ["--drain", "n"]):
                done = cluster.client("--host", f"http://127.0.0.1:{port}", *words, timeout=20)
                assert done.returncode in (1, 5) and not done.stdout, (answer[:60], words, done)
                assert done.stderr.count("\n") == 1 and "\x1b" not in done.stderr, (answer[:60], words, done)
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"stop")
            thread.join()


def check_configurations(cluster):
    for number, text in enumerate(CONFIGURATIONS):
        home = cluster.home / f"bad-{number}"
        home.mkdir()
        (home / "config.toml").write_bytes(text.encode("latin-1"))
        done = subprocess.run([cluster.programs / "hakuriver.host"], capture_output=True, text=True, timeout=20,
                              env=cluster.environment(HAKURIVER_HOME=str(home)), check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, (text, done)
        if "/" not in text and "none" not in text:
            assert f"{home}/config.toml:" in done.stderr, (text, done)
        if text.isprintable() or text.startswith("[net"):
            assert "expected" in done.stderr or "did you mean" in done.stderr, (text, done)
    # An unset shell variable must not become another configuration, or another host.
    for words in (("hakuriver.host", "--config", ""), ("hakuriver.runner", "--config", ""),
                  ("hakuriver.runner", "--host", ""), ("hakuriver.runner", "--name", ""),
                  ("hakuriver.client", "--config", "", "-l")):
        done = subprocess.run([cluster.programs / words[0], *words[1:]], capture_output=True, text=True, timeout=20,
                              env=cluster.environment(), check=False)
        assert done.returncode == 2 and done.stderr == f"{words[0]}: {words[1]} is empty\n", (words, done)


with Cluster(sys.argv[1]) as running:
    check_client(running)
    check_bodies(running)
    check_garbage(running)
    check_slow_connections(running)
    check_mutated_bodies(running)
    check_strange_hosts(running)
    check_configurations(running)
    assert running.host.is_alive() and running.node_status("node1") == "online"
    assert "\x1b" not in running.host.log.read_text(errors="replace")
    assert running.json("--list-tasks")["tasks"] == []
    assert "no task has been submitted yet" in running.client("--list-tasks", check=0).stderr
    check_pages_of_large_tasks(running)
