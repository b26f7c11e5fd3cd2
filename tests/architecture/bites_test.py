"""Every check of the architecture finds what it is there for: one violation is planted at a time, in a copy."""

import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

import architecture

TOPS = ("include", "lib", "apps", "bindings", "tests")


def prepend(path, text):
    path.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")


def append(path, text):
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def planted(compiler):
    """Name, check, and what breaks it in the copy."""
    def alone(root):
        return architecture.check_headers_alone(root, compiler)

    long_function = "void planted() {\n" + "  ;\n" * 70 + "}\n"
    return [
        ("a room that reaches into another", architecture.check_rooms,
         lambda root: prepend(root / "lib/http/url.cpp", '#include "wire/scanner.hpp"\n')),
        ("a program that bypasses lib/cli", architecture.check_rooms,
         lambda root: prepend(root / "apps/client.cpp", '#include "http/url.hpp"\n')),
        ("a public header that needs lib", architecture.check_rooms,
         lambda root: append(root / "include/hakuriver/ids.hpp", '#include "wire/scanner.hpp"\n')),
        ("a room nobody knows", architecture.check_rooms,
         lambda root: (root / "lib/utilities").mkdir() or (root / "lib/utilities/a.hpp").write_text("//\n")),
        ("a third party in the wrong room", architecture.check_third_parties,
         lambda root: prepend(root / "lib/http/url.cpp", "#include <nlohmann/json.hpp>\n")),
        ("a third party in a public header", architecture.check_third_parties,
         lambda root: append(root / "include/hakuriver/ids.hpp", "#include <hwloc.h>\n")),
        ("a costly header in a public one", architecture.check_public_headers,
         lambda root: append(root / "include/hakuriver/ids.hpp", "#include <iostream>\n")),
        ("using namespace in a public header", architecture.check_public_headers,
         lambda root: append(root / "include/hakuriver/ids.hpp", "using namespace std;\n")),
        ("a macro without a prefix", architecture.check_public_headers,
         lambda root: append(root / "include/hakuriver/ids.hpp", "#define PLANTED 1\n")),
        ("a header that does not say what it is for", architecture.check_public_headers,
         lambda root: prepend(root / "include/hakuriver/ids.hpp", "\n")),
        ("a header that is too long", architecture.check_file_sizes,
         lambda root: append(root / "lib/http/url.hpp", "//\n" * 301)),
        ("a source that is too long", architecture.check_file_sizes,
         lambda root: append(root / "lib/http/url.cpp", "//\n" * 401)),
        ("a function that is too long", architecture.check_function_sizes,
         lambda root: append(root / "lib/http/url.cpp", long_function)),
        ("a header that lacks an include", alone,
         lambda root: (root / "include/hakuriver/planted.hpp").write_text("// x\n#pragma once\nstd::string planted;\n")),
        ("a header without its guard", alone,
         lambda root: (root / "include/hakuriver/planted.hpp").write_text("// x\nstruct Planted {};\n")),
        ("a function that is not inline", alone,
         lambda root: (root / "include/hakuriver/planted.hpp").write_text("// x\n#pragma once\nvoid planted() {}\n")),
    ]


def copy_of(root, directory):
    copy = pathlib.Path(directory) / "copy"
    for top in TOPS:
        if (root / top).exists():
            shutil.copytree(root / top, copy / top)
    return copy


def keep_two_headers(copy):
    """Compiling all public headers for each planted one would take minutes and show no more."""
    for path in architecture.sources(copy, "include"):
        if path.name not in ("result.hpp", "ids.hpp"):
            path.unlink()


def bites(root, check, plant, compiles):
    with tempfile.TemporaryDirectory() as directory:
        copy = copy_of(root, directory)
        if compiles:
            keep_two_headers(copy)
        before = check(copy)
        plant(copy)
        return len(check(copy)) > len(before)


def hakurun_check_bites(compiler):
    with tempfile.TemporaryDirectory() as directory:
        library = pathlib.Path(directory) / "libsqlite3.so"
        source = pathlib.Path(directory) / "main.c"
        source.write_text("int planted(void);\nint main(void) { return planted(); }\n")
        (pathlib.Path(directory) / "library.c").write_text("int planted(void) { return 0; }\n")
        subprocess.run(["cc", "-shared", "-fPIC", "-Wl,-soname,libsqlite3.so.0", "-o", library, f"{directory}/library.c"], check=True)
        subprocess.run(["cc", "-o", f"{directory}/program", source, library], check=True)
        return bool(architecture.check_hakurun(f"{directory}/program"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    given = parser.parse_args()
    root = given.root.resolve()
    has_ctags = shutil.which("ctags") is not None
    results = []
    for name, check, plant in planted(given.compiler):
        if check is architecture.check_function_sizes and not has_ctags:
            continue
        results.append((name, bites(root, check, plant, check.__name__ == "alone")))
    results.append(("hakurun that loads a database", hakurun_check_bites(given.compiler)))
    for name, was_found in results:
        print(("ok      " if was_found else "FAILED  ") + name + (" is found" if was_found else " is not found"))
    failed = sum(not was_found for _, was_found in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
