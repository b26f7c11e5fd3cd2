"""A person at a terminal, for programs that are talked to."""

import fcntl
import os
import pathlib
import select
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from cluster import PATIENCE


def take_terminal(descriptor):
    """Makes it the calling process's own, for a child before it executes its program."""
    os.setsid()
    fcntl.ioctl(descriptor, termios.TIOCSCTTY, 0)


class Terminal:
    """The side of a pseudoterminal that a person would sit at: `shown` is what has come since the last line typed."""

    def __init__(self, descriptor):
        self.descriptor = descriptor
        self.shown = ""

    def type(self, text, test):
        """Once it shows a prompt, or at once."""
        if text != "\x03":
            self.wait_for("# ", test)
            self.shown = ""
        os.write(self.descriptor, text.encode())

    def wait_for(self, text, test, meanwhile=lambda: None):
        end = time.monotonic() + PATIENCE
        while text not in self.shown:
            test.assertLess(time.monotonic(), end, f"no '{text}' in {self.shown!r}")
            meanwhile()
            if select.select([self.descriptor], [], [], 1)[0]:
                self.shown += os.read(self.descriptor, 65536).decode(errors="replace")
