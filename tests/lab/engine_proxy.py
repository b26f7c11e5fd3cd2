"""A socket in front of a container engine's, which loses or delays what a test says.

    with EngineProxy(engine.socket, path) as proxy:
        proxy.lose("/start")          # the engine gets the next such request, but nobody its answer
        held = proxy.hold("/create")  # the next such request reaches the engine when held.release() is called
        held.wait()                   # until it has come
"""

import pathlib
import re
import socket
import threading

PATIENCE = 120


class Held:
    def __init__(self):
        self._come = threading.Event()
        self._released = threading.Event()

    def wait(self):
        if not self._come.wait(PATIENCE):
            raise RuntimeError("nobody asked")

    def release(self):
        self._released.set()

    def stay(self):
        self._come.set()
        self._released.wait(PATIENCE)


class EngineProxy:
    def __init__(self, engine, path):
        self.engine = str(engine)
        self.path = pathlib.Path(path)
        self._rules = []  # (part of the first line, what to do)
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)

    def __enter__(self):
        self._listener.bind(str(self.path))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def lose(self, part):
        done = Held()
        self._add(part, lambda: (done.stay, True))
        done.release()
        return done

    def hold(self, part):
        held = Held()
        self._add(part, lambda: (held.stay, False))
        return held

    def _add(self, part, rule):
        with self._lock:
            self._rules.append((part, rule))

    def _rule(self, line):
        with self._lock:
            for at, (part, rule) in enumerate(self._rules):
                if part in line:
                    del self._rules[at]
                    return rule()
        return None, False

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        """The engine hears everything and is listened to, also when the client has gone meanwhile."""
        server = socket.socket(socket.AF_UNIX)
        with client, server:
            server.connect(self.engine)
            lost, answered = threading.Event(), threading.Event()
            threading.Thread(target=self._answer, args=(server, client, lost, answered), daemon=True).start()
            answered.set()
            while True:
                data = self._read_request(client)
                if not data:
                    answered.wait(PATIENCE)
                    return
                line = data.split(b"\r\n", 1)[0].decode(errors="replace")
                stay, loses = self._rule(line)
                if loses:
                    lost.set()
                if stay:
                    stay()
                answered.clear()
                server.sendall(data)

    @staticmethod
    def _read_request(client):
        """All of it, or nothing."""
        data, length = b"", None
        while length is None or len(data) < length:
            try:
                more = client.recv(1 << 20)
            except OSError:
                more = b""
            if not more:
                return b""
            data += more
            head, end, _ = data.partition(b"\r\n\r\n")
            if end:
                found = re.search(rb"\r\nContent-Length: *(\d+)", head, re.IGNORECASE)
                length = len(head) + 4 + (int(found.group(1)) if found else 0)
        return data

    @staticmethod
    def _answer(server, client, lost, answered):
        while True:
            try:
                data = server.recv(1 << 20)
            except OSError:
                data = b""
            answered.set()
            try:
                if data and not lost.is_set():
                    client.sendall(data)
                    continue
                client.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has gone; what the engine still says is for nobody
                if data:
                    continue
            return
