"""Command lines for tasks in containers as the guides have them, typed into a real bash: docker_bash.py PROGRAMS

Where no daemon can be had, the reason is said. With HAKURIVER_NO_SKIP in the environment that is a failure.
"""

import time

import docker_cluster
from docker_cluster import DockerCase, DockerCluster

# There is no Python in images made of busybox: the `python` of these runs scripts of the shell.
PYTHON = '#!/bin/sh\nexec /bin/sh "$@"\n'

# A combination that ends only when all of them run. It says its arguments, and where it is: what docker mounts comes
# from a directory that has the container's id as its name.
COMBINATION = """\
touch {name}-$1-$2
until test "$(ls {name}-* | wc -l)" = {count}; do sleep 0.1; done
container=$(grep -oE 'containers/[0-9a-f]{{64}}' /proc/self/mountinfo | head -n 1)
echo "$#: $*|$(hostname) $(stat -L -c %i /proc/self/ns/pid) $container"
"""


class Lines(DockerCase):
    @classmethod
    def import_images(cls):
        for environment in ("my-env", "ml-env", "data-proc"):
            cls.engine.import_image(f"hakuriver/{environment}:base", programs={"python": PYTHON})

    @classmethod
    def make_cluster(cls):
        return DockerCluster(cls.engine, nodes=("node1", "gpu-node"))

    def tasks(self):
        return {task["task_id"] for task in self.cluster.json("--list-tasks", "--limit", "1000")["tasks"]}

    def submit_line(self, line):
        """The record of the one task that it makes, once that has ended."""
        before = self.tasks()
        done = self.cluster.bash(line)
        self.assertRegex(done.stdout, r"\A\d+\n\Z", done.stderr)
        task = done.stdout.strip()
        self.assertEqual({str(each) for each in self.tasks() - before}, {task})
        self.cluster.wait_for_status(task, "completed", "failed", "killed", "killed_oom")
        status = self.cluster.status(task)
        self.assertEqual((status["status"], status["exit_code"]), ("completed", 0), status["error_message"])
        return status

    def check_combinations(self, status, expected):
        """That they ran with these words, all of them in the only container that the task has had."""
        task = status["task_id"]
        lines = [line.split("|") for line in self.cluster.client("--stdout", task, check=0).stdout.splitlines()]
        self.assertEqual(sorted(words for words, _ in lines), sorted(expected))
        self.assertEqual(len({place for _, place in lines}), 1, lines)
        until = str(int(time.time()) + 1)  # the daemon counts in whole seconds
        made = self.engine.docker("events", "--since", "1h", "--until", until, "--format", "{{.ID}}", "--filter",
                                  f"container=hakuriver-task-{task}", "--filter", "event=create").stdout.split()
        self.assertEqual([f"containers/{container}" for container in made], lines[0][1].split()[2:])

    def test_a_sweep_in_one_container(self):
        (self.cluster.shared / "script.py").write_text(COMBINATION.format(name="script", count=6))
        for line in ("hakuriver.client --target node1 --container my-env -- \\\n"
                     "  hakurun --parallel python script.py span:{1..3} span:[A,B]",
                     "hakuriver.client --target node1 --container my-env -- hakurun --parallel python script.py "
                     "span:{1..3} span:[A,B]"):
            with self.subTest(line):
                for file in self.cluster.shared.glob("script-*"):
                    file.unlink()
                status = self.submit_line(line)
                self.assertEqual((status["assigned_node"], status["container_name"]), ("node1", "my-env"))
                self.assertEqual([status["command"], *status["arguments"]],
                                 ["hakurun", "--parallel", "python", "script.py", "span:1", "span:2", "span:3",
                                  "span:[A,B]"])  # as bash delivers it
                self.check_combinations(status, [f"2: {number} {letter}" for number in "123" for letter in "AB"])

    def test_a_training_sweep_on_a_node_with_a_hyphen(self):
        script = self.cluster.shared / "shared_data/train_model.py"
        script.write_text(COMBINATION.format(name="/shared/trained", count=9))
        status = self.submit_line("hakuriver.client --target gpu-node --container ml-env --cores 8 --memory 16G -- \\\n"
                                  "  hakurun --parallel python /shared/train_model.py \\\n"
                                  "  span:[0.001,0.01,0.1] span:[64,128,256]")
        self.assertEqual((status["assigned_node"], status["container_name"]), ("gpu-node", "ml-env"))
        self.assertEqual((status["required_cores"], status["required_memory_bytes"]), (8, 16 * 2**30))
        self.assertEqual([status["command"], *status["arguments"]],
                         ["hakurun", "--parallel", "python", "/shared/train_model.py", "span:[0.001,0.01,0.1]",
                          "span:[64,128,256]"])
        self.check_combinations(status, [f"2: {rate} {size}" for rate in ("0.001", "0.01", "0.1")
                                         for size in (64, 128, 256)])

    def test_a_pipeline_of_two_stages(self):
        shared = self.cluster.shared / "shared_data"
        (shared / "prepare_data.py").write_text("echo prepared on $HAKURIVER_NODE > /shared/prepared\n")
        (shared / "train_model.py").write_text('echo "trained on $HAKURIVER_NODE: $(cat /shared/prepared)"\n')
        done = self.cluster.bash("TASK1=$(hakuriver.client --wait --target node1 --container data-proc -- \\\n"
                                 "  python /shared/prepare_data.py)\n"
                                 'echo "Data preparation completed with task ID: $TASK1"\n'
                                 'if [ "$?" -eq 0 ]; then\n'
                                 "  TASK2=$(hakuriver.client --wait --target gpu-node --container ml-env -- \\\n"
                                 "    python /shared/train_model.py)\n"
                                 '  echo "Training completed with task ID: $TASK2"\n'
                                 "fi\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\AData preparation completed with task ID: \d+\n"
                                      r"Training completed with task ID: \d+\n\Z", done.stderr)
        first, second = (self.cluster.status(line.split()[-1]) for line in done.stdout.splitlines())
        self.assertEqual([(each["assigned_node"], each["container_name"], each["status"]) for each in (first, second)],
                         [("node1", "data-proc", "completed"), ("gpu-node", "ml-env", "completed")])
        self.assertEqual((second["command"], second["arguments"]), ("python", ["/shared/train_model.py"]))
        self.assertEqual(self.cluster.client("--stdout", second["task_id"], check=0).stdout,
                         "trained on gpu-node: prepared on node1\n")


if __name__ == "__main__":
    docker_cluster.main()
