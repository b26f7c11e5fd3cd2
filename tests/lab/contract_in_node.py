"""The launcher contract in a node with a real systemd: contract_in_node.py PROGRAMS LAUNCHER [OPTION]..."""

import pathlib
import sys

import lab
from node import LabNode

if __name__ == "__main__":
    lab.enter()
    PROGRAMS = pathlib.Path(sys.argv[1]).resolve()
    SCRIPT = pathlib.Path(__file__).resolve().with_name("contract.py")
    with LabNode("contract", programs=PROGRAMS) as NODE:
        DONE = NODE.popen(["python3", SCRIPT, PROGRAMS, *sys.argv[2:]]).wait()
    sys.exit(DONE)
