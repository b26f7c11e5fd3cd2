"""The shape of the source tree: who includes whom, how large things are, what a public header may need.

    architecture.py --root DIR [--compiler g++] [--hakurun PROGRAM]

Each check is a function from the root to a list of findings, one line each; none is good.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# Which rooms of lib/ a room may include besides itself and include/hakuriver/.
ROOMS = {
    "wire": set(),
    "config": set(),
    "platform": set(),
    "keeper": set(),
    "launch": set(),
    "systemd": {"launch"},
    "http": set(),
    "environment": {"wire", "platform"},
    # Speaks JSON over HTTP to a container engine.
    "container": {"wire", "platform", "http", "environment"},
    "storage": {"wire"},
    "engine": {"platform"},
    "service": {"wire"},
    "doors": {"wire", "config", "platform", "keeper", "launch", "systemd", "http", "environment", "container", "storage", "engine", "service"},
    "cli": {"wire", "config", "platform", "keeper", "launch", "systemd", "http", "environment", "container", "storage", "engine", "service", "doors"},
}

# The one room that may include a third party's headers.
THIRD_PARTIES = {
    "nlohmann/": "wire",
    "toml.hpp": "config",
    "toml11/": "config",
    "toml/": "config",
    "sqlite3.h": "storage",
    "httplib.h": "http",
    "openssl/": "environment",
    "hwloc.h": "platform",
    "hwloc/": "platform",
    "CLI/": "cli",
    "systemd/sd-": "systemd",
}

# What would cost every user of a public header, or pull a third party in.
FORBIDDEN_IN_PUBLIC = {"iostream", "regex", "filesystem", "thread"}

HEADER_LINES = 300
SOURCE_LINES = 400
FUNCTION_LINES = 60

# What hakurun's program must not load: it starts thousands of times a minute.
FORBIDDEN_IN_HAKURUN = ("libcpp-httplib", "libssl", "libcrypto", "libsqlite3", "libhwloc")
# Texts of theirs, for a program that is linked statically.
FORBIDDEN_TEXTS_IN_HAKURUN = (b"cpp-httplib", b"OpenSSL", b"SQLite format 3", b"HWLOC_")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


def sources(root, *tops):
    """C and C++ files below the given directories, in a stable order."""
    for top in tops:
        for path in sorted((root / top).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".h", ".c") and path.is_file():
                yield path


def includes(path):
    for match in INCLUDE.finditer(path.read_text(encoding="utf-8")):
        yield match.group(1), match.group(2)


def check_rooms(root):
    """Rooms include only the rooms that the table allows; every room is in the table."""
    findings = []
    for path in sources(root, "lib"):
        room = path.relative_to(root / "lib").parts[0]
        if room not in ROOMS:
            findings.append(f"{path.relative_to(root)}: the room '{room}' is not in the table of rooms")
            continue
        for style, name in includes(path):
            target = name.split("/")[0]
            if style == '"' and target != room and target in ROOMS and target not in ROOMS[room]:
                findings.append(f"{path.relative_to(root)}: {room} may not include '{name}'")
    for top, allowed in (("apps", {"cli"}), ("include", set()), ("bindings", set())):
        for path in sources(root, top):
            for style, name in includes(path):
                target = name.split("/")[0]
                if style == '"' and target in ROOMS and target not in allowed:
                    findings.append(f"{path.relative_to(root)}: {top} may not include '{name}'")
    return findings


def check_third_parties(root):
    """Each third party is known to one room."""
    findings = []
    for path in sources(root, "include", "lib", "apps", "bindings"):
        parts = path.relative_to(root).parts
        room = parts[1] if parts[0] == "lib" else parts[0]
        for _, name in includes(path):
            for prefix, owner in THIRD_PARTIES.items():
                if name.startswith(prefix) and room != owner:
                    findings.append(f"{path.relative_to(root)}: '{name}' belongs to lib/{owner}")
    return findings


def check_public_headers(root):
    """Public headers need the standard library only, open with their promise, and force no names on anybody."""
    findings = []
    for path in sources(root, "include"):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(root)
        for style, included in includes(path):
            if included in FORBIDDEN_IN_PUBLIC:
                findings.append(f"{name}: <{included}> has no place in a public header")
            if style == '"' and not included.startswith("hakuriver/"):
                findings.append(f"{name}: '{included}' is not a public header")
        if not text.startswith("//"):
            findings.append(f"{name}: the first line does not say what it is for")
        if "#pragma once" not in text:
            findings.append(f"{name}: no #pragma once")
        if re.search(r"^using namespace", text, re.MULTILINE):
            findings.append(f"{name}: 'using namespace' in a public header")
        for macro in re.findall(r"^\s*#\s*define\s+(\w+)", text, re.MULTILINE):
            if not macro.startswith("HAKURIVER_"):
                findings.append(f"{name}: the macro {macro} has no prefix")
    return findings


def check_file_sizes(root):
    """Headers and sources stay small enough to be read in one go."""
    findings = []
    for path in sources(root, "include", "lib", "apps", "bindings", "tests"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        most = HEADER_LINES if path.suffix in (".hpp", ".h") else SOURCE_LINES
        if lines > most:
            findings.append(f"{path.relative_to(root)}: {lines} lines; the most is {most}")
    return findings


def check_function_sizes(root):
    """Functions stay within a screen."""
    ctags = shutil.which("ctags")
    if ctags is None or "Universal" not in subprocess.run([ctags, "--version"], capture_output=True, text=True,
                                                          check=False).stdout:
        print("function sizes are not checked: universal-ctags is not installed", file=sys.stderr)
        return []
    paths = [str(path) for path in sources(root, "include", "lib", "apps", "bindings", "tests")]
    command = [ctags, "-x", "--_xformat=%{end} %{line} %N %F", "--fields=+ne", "--kinds-C++=f", "--kinds-C=f",
               "--languages=C,C++", "-L", "-"]
    table = subprocess.run(command, input="\n".join(paths), capture_output=True, text=True, check=True).stdout
    findings = []
    for row in table.splitlines():
        end, line, name, path = row.split(" ", 3)
        length = int(end) - int(line) + 1 if end.isdigit() else 0
        if length > FUNCTION_LINES:
            place = pathlib.Path(path).relative_to(root)
            findings.append(f"{place}:{line}: {name} has {length} lines; the most is {FUNCTION_LINES}")
    return findings


def compile_text(root, compiler, text, directory, name, output=None):
    source = pathlib.Path(directory) / (name + ".cpp")
    source.write_text(text, encoding="utf-8")
    command = [*compiler.split(), "-std=c++20", "-Wall", "-Wextra", "-Wno-restrict", "-Werror", "-Wno-unknown-warning-option",
               "-I", str(root / "include"), str(source)]
    command += ["-c", "-o", output] if output else ["-fsyntax-only"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def first_error(text):
    return next((line for line in text.splitlines() if "error" in line), text[:200])


def check_headers_alone(root, compiler):
    """Every public header compiles by itself, and may be included twice and by several files."""
    headers = [str(path.relative_to(root / "include")) for path in sources(root, "include")]
    with tempfile.TemporaryDirectory() as directory:
        def alone(pair):
            number, header = pair
            text = f'#include "{header}"\n#include "{header}"\n'
            return header, compile_text(root, compiler, text, directory, f"alone{number}")

        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            done = list(pool.map(alone, enumerate(headers)))
        findings = [f"include/{header}: does not compile alone: {first_error(run.stderr)}"
                    for header, run in done if run.returncode != 0]
        if findings:
            return findings
        everything = "".join(f'#include "{header}"\n' for header in headers)
        objects = []
        for name, rest in (("first", "int main() {}\n"), ("second", "")):
            objects.append(f"{directory}/{name}.o")
            run = compile_text(root, compiler, everything + rest, directory, name, objects[-1])
            if run.returncode != 0:
                return [f"all public headers together: {first_error(run.stderr)}"]
        run = subprocess.run(["ld", "-r", "-o", f"{directory}/both.o", *objects], capture_output=True, text=True,
                             check=False)
        return [f"two files cannot both include the public headers: {line}"
                for line in run.stderr.splitlines() if "multiple definition" in line]


def check_hakurun(program):
    """hakurun has no library in it that it does not need."""
    table = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", table)
    content = pathlib.Path(program).read_bytes()
    return ([f"{program}: loads {name}" for name in needed if name.startswith(FORBIDDEN_IN_HAKURUN)] +
            [f"{program}: holds '{text.decode()}'" for text in FORBIDDEN_TEXTS_IN_HAKURUN if text in content])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--hakurun")
    given = parser.parse_args()
    root = given.root.resolve()
    checks = [check_rooms, check_third_parties, check_public_headers, check_file_sizes, check_function_sizes]
    results = [(check.__doc__, check(root)) for check in checks]
    results.append((check_headers_alone.__doc__, check_headers_alone(root, given.compiler)))
    if given.hakurun:
        results.append((check_hakurun.__doc__, check_hakurun(given.hakurun)))
    failed = 0
    for promise, findings in results:
        print(("ok      " if not findings else "FAILED  ") + promise)
        for finding in findings:
            print("        " + finding)
        failed += bool(findings)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
