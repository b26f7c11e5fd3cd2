#!/usr/bin/env bash
# A cluster on this machine in a few minutes: a host, two runners, and real work through the client.
#
#   examples/quickstart.sh          builds, shows, and stops everything again
#   examples/quickstart.sh --keep   leaves the cluster running and says how to talk to it
#
# It installs the Debian packages that the build needs, keeps to a temporary directory and to the loopback, and stops
# only what it started. BUILD_DIR names another build directory than build/release.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=
case "${1:-}" in
  "") ;;
  --keep) keep=yes ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0"; [ "$1" = --help ]; exit ;;
esac

build=${BUILD_DIR:-build/release}
if [ -z "${HAKURIVER_PROGRAMS:-}" ]; then
  .ci/install-packages build
  mkdir -p "$(dirname "$build")"
  echo "building (in $build; a first time takes some minutes) ..."
  launcher=()
  if command -v ccache >/dev/null; then launcher=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DHAKURIVER_DEVELOPER=OFF "${launcher[@]}" >/dev/null
  cmake --build "$build" -j "$(nproc)"
  HAKURIVER_PROGRAMS=$PWD/$build/bin
fi
export PATH="$HAKURIVER_PROGRAMS:$PATH"

# Everything of this cluster is in one directory; nothing of yours is read or written.
home=$(mktemp -d /tmp/hakuriver-quickstart.XXXXXX)
export HAKURIVER_HOME=$home
unset HAKURIVER_HOST HAKURIVER_CONFIG
mkdir "$home/shared"
pids=()

stop() {
  local status=$?
  trap - EXIT INT TERM
  if [ ${#pids[@]} -gt 0 ]; then
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
  fi
  if [ "$status" -ne 0 ]; then tail -n 5 "$home"/*.log >&2 || true; fi
  rm -rf "$home"
  exit "$status"
}
trap stop EXIT INT TERM

title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || title() { printf '\n== %s\n' "$*"; }
# Shows a command as it would be typed, and runs it.
show() {
  local word line='$'
  for word; do
    case $word in *[!A-Za-z0-9_./:=,-]* | '') word=${word@Q} ;; esac
    line+=" $word"
  done
  printf '%s\n' "$line"
  "$@"
}

# Waits until the command succeeds; the host and the runners need a moment to find each other.
until_true() {
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "in vain: $*" >&2
  return 1
}

title "a configuration and a token"
show hakuriver.init

# A port that nobody listens on. (host_port = 0 lets the system choose, but runners and client have to know it.)
port=$((20000 + RANDOM % 10000))
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 10000)); done
sed -i "s/^host_port = .*/host_port = $port/" "$home/config.toml"

title "a host, and two runners: each is a node with 4 cores (both are this machine)"
setsid hakuriver.host >"$home/host.log" 2>&1 &
pids+=($!)
for node in node1 node2; do
  mkdir -p "$home/$node/state" "$home/$node/tmp"
  HAKURIVER_RUNNER_CORES=4 HAKURIVER_PATHS_STATE_DIR=$home/$node/state HAKURIVER_PATHS_LOCAL_TEMP_DIR=$home/$node/tmp \
    setsid hakuriver.runner --name "$node" >"$home/$node.log" 2>&1 &
  pids+=($!)
done
both_are_online() { [ "$(hakuriver.client --list-nodes | grep -c ' online ')" -eq 2 ]; }
until_true both_are_online
show hakuriver.client --list-nodes

title "one task on one node: its id is all that is printed"
printf '$ %s\n' 'task=$(hakuriver.client --target node1 -- echo "Hello, HakuRiver!")'
task=$(hakuriver.client --target node1 -- echo "Hello, HakuRiver!")
echo "task is $task"
show hakuriver.client --wait-for "$task"
show hakuriver.client --stdout "$task"

title "the same on several nodes, with an environment and a name"
show hakuriver.client --target node1 --target node2 --env GREETING=hello --name greet --wait -- \
  sh -c 'echo "$GREETING from $HAKURIVER_NODE"'

title "wherever there is room"
printf '$ %s\n' "task=\$(hakuriver.client --wait --cores 2 -- seq 3); hakuriver.client --stdout \$task"
task=$(hakuriver.client --wait --cores 2 -- seq 3)
hakuriver.client --stdout "$task"

title "a task that fails: --wait passes its exit status on"
printf '$ %s\n' "hakuriver.client --wait -- sh -c 'echo no luck >&2; exit 3'"
status=0
task=$(hakuriver.client --wait --name unlucky -- sh -c 'echo no luck >&2; exit 3') || status=$?
echo "exit status $status; its standard error: $(hakuriver.client --stderr "$task")"
[ "$status" -eq 3 ]

title "a task that is killed, with its whole process tree"
task=$(hakuriver.client --target node2 --name endless -- sh -c 'sleep 1000 & sleep 1000')
is_running() { hakuriver.client --status "$task" | grep -q '^State: *running'; }
until_true is_running
show hakuriver.client --kill "$task"
status=0
hakuriver.client --wait-for "$task" || status=$?
[ "$status" -ne 0 ]

title "a sweep: one task for each combination"
show hakurun hakuriver.client --wait --name sweep -- echo seed 'span:{1..4}'

title "the same by way of a shell: hakurun prints the commands, bash runs them"
printf '$ %s\n' "hakurun echo hakuriver.client --target node1 -- echo mode 'span:[A,B]' | bash"
hakurun echo hakuriver.client --target node1 -- echo mode 'span:[A,B]' | bash
nothing_is_left() { [ "$(for state in pending assigning running; do
  hakuriver.client --list-tasks --state "$state"; done | grep -c '^[0-9]')" -eq 0 ]; }
until_true nothing_is_left

title "what became of it all"
show hakuriver.client --list-tasks
show hakuriver.client --list-nodes

if [ -n "$keep" ]; then
  trap - EXIT INT TERM
  disown -a
  cat <<EOF

The cluster goes on. Talk to it with

  export HAKURIVER_HOME=$home PATH=$HAKURIVER_PROGRAMS:\$PATH
  hakuriver.client -- sleep 60
  hakuriver.client --list-tasks

and stop it with: kill ${pids[*]}; rm -r $home
EOF
  exit 0
fi

cat <<EOF

That was a whole cluster, and it is stopped now. Try next:
  examples/quickstart.sh --keep     the same, left running for you
  hakuriver.client --help           every option, with examples
  hakurun --help                    sweeps: ranges, lists, journals, resuming
For several machines: hakuriver.init on one, copy its config.toml and token to the others, set host_reachable_address,
and start hakuriver.host there and hakuriver.runner everywhere.
EOF
