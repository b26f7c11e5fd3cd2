"""Bad input of every kind: one clear line, the right exit status or code, and no task."""

import subprocess
import sys

from cluster import Cluster
from http.client import HTTPConnection

USAGE = (["--nosuch"], ["--target", "node1:x", "--", "true"], ["--cores", "x", "--", "true"],
         ["--memory", "8Q", "--", "true"], ["--env", "A", "--", "true"], ["--env", "=x", "--", "true"],
         ["--status", "abc"], ["--kill", ""], ["--config", "/nope", "-l"], ["--host", "ftp://x", "-l"],
         ["--list-tasks", "--state", "frob"], ["--cwd", "rel", "--", "pwd"], ["--", ""],
         ["--name", "a" * 5000, "--", "true"], ["--privileged", "--container", "NULL", "--", "true"])
REFUSED = (["--target", "nope", "--", "true"], ["--target", "node1:9", "--", "true"], ["--cores", "9", "--", "true"],
           ["--container", "env", "--", "true"], ["--private-network", "--", "true"], ["--memory", "100T", "--", "true"])
UNKNOWN = (["--status", "12"], ["--stdout", "12"], ["--kill", "12"], ["--health", "nope"], ["--drain", "nope"])
CONFIGURATIONS = ("[network]\nhost_prt = 1\n", "[network]\nhost_port = 99999\n", "[netw", "\xff\n",
                  '[security]\nauth = "none"\n[network]\nhost_bind_ip = "0.0.0.0"\n',
                  '[paths]\nshared_dir = "/proc/nope"\n', '[database]\ndb_file = "/nope/x.db"\n')


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


def check_configurations(cluster):
    for number, text in enumerate(CONFIGURATIONS):
        home = cluster.home / f"bad-{number}"
        home.mkdir()
        (home / "config.toml").write_bytes(text.encode("latin-1"))
        done = subprocess.run([cluster.programs / "hakuriver.host"], capture_output=True, text=True, timeout=20,
                              env=cluster.environment(HAKURIVER_HOME=str(home)), check=False)
        assert done.returncode == 2 and done.stderr.count("\n") == 1, (text, done)


with Cluster(sys.argv[1]) as running:
    check_client(running)
    check_bodies(running)
    check_configurations(running)
    assert running.json("--list-tasks")["tasks"] == []
