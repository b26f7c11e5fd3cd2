"""The launcher contract for tasks in containers, by a docker daemon of its own: contract_in_docker.py PROGRAMS LAUNCHER

The rest of the node's tasks has LAUNCHER. Where no daemon can be had, the reason is said; with HAKURIVER_NO_SKIP in the
environment that is a failure.
"""

import os
import pathlib
import subprocess
import sys

from docker_engine import DockerEngine, reason_to_skip

if __name__ == "__main__":
    REASON = reason_to_skip()
    if REASON:
        print(f"skipped: {REASON}")
        sys.exit(1 if "HAKURIVER_NO_SKIP" in os.environ else 0)
    SCRIPT = pathlib.Path(__file__).resolve().with_name("contract.py")
    with DockerEngine() as ENGINE:
        ENGINE.import_image("hakuriver/box:base")
        DONE = subprocess.run([sys.executable, SCRIPT, sys.argv[1], sys.argv[2], "--container", "box"], check=False,
                              env={**os.environ, "DOCKER_HOST": ENGINE.host})
    sys.exit(DONE.returncode)
