#!/usr/bin/env bash
# Builds everything and runs every test. The last line is "N passed, N failed".
#
#   tests/run.sh [CMAKE_OPTION...]     BUILD_DIR and LEAST_CASES may be set; CTEST_OPTIONS goes to ctest
#
# With -DHAKURIVER_MACHINE_TEST=ON the tests on an emulated machine (NUMA, cgroup v2) run too.
# On a bare Debian 12 it installs what it needs (as root, or with sudo) and says what.
set -euo pipefail
cd "$(dirname "$0")/.."

build=${BUILD_DIR:-build/test}
# Far fewer than there are: it is there to notice tests that silently stopped being run.
least=${LEAST_CASES:-500}
jobs=$(nproc)

.ci/install-packages build test
# What then is missing makes a test that says so, not a build that fails.
case " $* " in *" -DHAKURIVER_MACHINE_TEST=ON "*) .ci/install-packages machine || true ;; esac

launcher=()
if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
# Optimised, because tests with many tasks take their time, but with assertions and symbols.
mkdir -p "$(dirname "$build")"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -g1" \
  "${launcher[@]}" "$@" >"$build.log" 2>&1 || { cat "$build.log"; echo "0 passed, 1 failed"; exit 1; }
cmake --build "$build" -j "$jobs" || { echo "the build failed"; echo "0 passed, 1 failed"; exit 1; }

status=0
# shellcheck disable=SC2086
ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=error --output-junit junit.xml \
  --test-output-size-passed 1000000 --test-output-size-failed 1000000 ${CTEST_OPTIONS:-} || status=$?
echo
python3 tests/count_cases.py "$build/junit.xml" --least "$least" || status=1
exit "$status"
