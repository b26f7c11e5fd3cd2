"""hakuriver as others get it: installed and found, and as a subdirectory of their project.

    package_test.py --build BUILD --source SOURCE --compiler CXX [--flags CXXFLAGS]

Installs BUILD below a temporary directory and builds the project in consumer/ against it.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SWEEP = "train 1 --lr=0.1 \ntrain 1 --lr=0.01 \ntrain 2 --lr=0.1 \n"
ABSENT = [f"-DCMAKE_DISABLE_FIND_PACKAGE_{name}=ON" for name in ("OpenSSL", "PkgConfig", "Threads")]
OPTIONS = None


def run(*words, check=True, **more):
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=280, check=False, **more)
    if check and done.returncode != 0:
        raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}")
    return done.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="hakuriver-package-"))
        cls.first = cls.scratch / "first"
        run("cmake", "--install", OPTIONS.build, "--prefix", cls.first)
        # Elsewhere, and gone from where it was installed: nothing in it may know its own place.
        cls.prefix = cls.scratch / "moved"
        cls.first.rename(cls.prefix)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.scratch)

    def configure(self, name, *options, check=True, **more):
        build = self.scratch / name
        return build, run("cmake", "-S", HERE / "consumer", "-B", build, "-G", "Ninja",
                          f"-DCMAKE_CXX_COMPILER={OPTIONS.compiler}", f"-DCMAKE_CXX_FLAGS={OPTIONS.flags}", *options,
                          check=check, **more)

    def found(self):
        return f"-DCMAKE_PREFIX_PATH={self.prefix}"

    def test_what_is_installed(self):
        files = sorted(str(path.relative_to(self.prefix)) for path in self.prefix.glob("*bin/*"))
        self.assertEqual(files, ["bin/hakuriver.client", "bin/hakuriver.docker", "bin/hakuriver.docker-shell",
                                 "bin/hakuriver.host", "bin/hakuriver.init", "bin/hakuriver.runner", "bin/hakurun"])
        for name in ("init", "docker", "docker-shell"):
            self.assertEqual(os.readlink(self.prefix / f"bin/hakuriver.{name}"), "hakuriver.client")
        self.assertTrue(os.access(self.prefix / "libexec/hakuriver/hakuriver-keeper", os.X_OK))
        headers = {path.relative_to(self.prefix / "include") for path in self.prefix.glob("include/**/*.hpp")}
        source = pathlib.Path(OPTIONS.source) / "include"
        self.assertEqual(headers, {path.relative_to(source) for path in source.glob("hakuriver/**/*.hpp")})

    def test_the_core_alone_needs_no_other_package(self):
        build, _ = self.configure("core", self.found(), "-DHAKURIVER_COMPONENTS=core", *ABSENT)
        run("cmake", "--build", build)
        self.assertIn(SWEEP, run(build / "sweep"))
        self.assertFalse((build / "cluster").exists())

    def test_a_program_with_a_cluster_in_it(self):
        build, _ = self.configure("cluster", self.found())
        run("cmake", "--build", build)
        self.assertIn(SWEEP, run(build / "sweep"))
        self.assertIn("completed: from here\n", run(build / "cluster"))

    def test_what_the_archive_needs_is_named_when_it_is_missing(self):
        nothing = {**os.environ, "PKG_CONFIG_LIBDIR": str(self.scratch)}
        _, said = self.configure("missing", self.found(), check=False, env=nothing)
        self.assertRegex(" ".join(said.split()), "hakuriver::hakuriver needs hwloc, which pkg-config does not find")
        _, said = self.configure("unknown", self.found(), "-DHAKURIVER_COMPONENTS=colour", check=False)
        self.assertRegex(said, "has no component .colour.: there are core and\\s+hakuriver")

    def test_pkg_config(self):
        directory, = self.prefix.glob("lib/**/pkgconfig")
        ask = ["pkg-config", "hakuriver"]
        environment = {**os.environ, "PKG_CONFIG_PATH": str(directory)}
        keeper = run(*ask, "--variable=keeper", env=environment).strip()
        self.assertTrue(os.access(keeper, os.X_OK), keeper)
        flags = run(*ask, "--cflags", "--libs", env=environment).split()
        program = self.scratch / "by-hand"
        run(OPTIONS.compiler, "-std=c++20", *OPTIONS.flags.split(), f'-DKEEPER="{keeper}"',
            HERE / "consumer" / "cluster.cpp", "-o", program, *flags)
        self.assertIn("completed: from here\n", run(program))

    def test_as_a_subdirectory(self):
        build, said = self.configure("subdirectory", f"-DHAKURIVER_SOURCE={OPTIONS.source}")
        cache = (build / "CMakeCache.txt").read_text()
        self.assertRegex(cache, r"HAKURIVER_DEVELOPER:BOOL=OFF")
        self.assertRegex(cache, r"HAKURIVER_INSTALL:BOOL=OFF")
        self.assertNotIn("doctest", said)
        # One room stands for all that would take minutes; the keeper is where the target says.
        run("cmake", "--build", build, "--target", "sweep", "hakuriver_config")
        self.assertIn(SWEEP, run(build / "sweep"))
        commands = run("ninja", "-C", build, "-t", "commands", "cluster")
        self.assertIn(f"-DKEEPER=\\\"{build}/hakuriver/libexec/hakuriver/hakuriver-keeper\\\"", commands)
        self.assertFalse(re.search("-Werror|doctest", commands))

    def test_installed_programs_run_and_find_the_keeper(self):
        home = self.scratch / "home"
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
        home.mkdir()
        for program in ("hakuriver.host", "hakuriver.runner", "hakuriver.client", "hakuriver.init", "hakuriver.docker",
                        "hakuriver.docker-shell", "hakurun"):
            self.assertRegex(run(self.prefix / "bin" / program, "--version", env=environment), r"^\S+ \d+\.\d+\.\d+\n$")
        # No host is there: it registers for ever, which it can only begin with a keeper.
        runner = subprocess.Popen([self.prefix / "bin/hakuriver.runner", "--name", "here", "--host",
                                   "http://127.0.0.1:9"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  env=environment)
        line = runner.stderr.readline()
        while line and "http://127.0.0.1:9" not in line:
            line = runner.stderr.readline()
        self.assertIsNone(runner.poll(), line)
        runner.terminate()
        runner.stderr.close()
        runner.wait(30)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--source", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--flags", default="")
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
