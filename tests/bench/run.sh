#!/usr/bin/env bash
# Builds for release and measures the cluster: the table that the README shows. Some minutes on a quiet machine.
#
#   tests/bench/run.sh [--short] [--only WORD]     BUILD_DIR may be set
#
# With strace installed it counts syncs as well.
set -euo pipefail
cd "$(dirname "$0")/../.."

build=${BUILD_DIR:-build/bench}
.ci/install-packages build test

mkdir -p "$(dirname "$build")"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHAKURIVER_DEVELOPER=ON >"$build.log"
cmake --build "$build" --target hakuriver_host hakuriver_runner hakuriver_client \
  hakuriver_keeper_program bench_noop bench_stamp bench_http bench_spawn bench_fill hakurun bench_vfork bench_launch >>"$build.log"
exec python3 tests/bench/cluster_bench.py "$build/bin" "$@"
