#!/usr/bin/env python3
"""Copies the rows of --input that are not empty to --output."""

import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--input", required=True)
parser.add_argument("--output", required=True)
arguments = parser.parse_args()
with open(arguments.input, encoding="utf-8") as rows, open(arguments.output, "w", encoding="utf-8") as output:
    output.writelines(row for row in rows if row.strip())
print(f"{arguments.input} -> {arguments.output}")
