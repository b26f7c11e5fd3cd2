"""The documented sweeps, as typed in bash and quoted, with what they print: hakurun_examples.py HAKURUN EXAMPLES"""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from sweep_case import SweepCase

EXAMPLES = pathlib.Path(sys.argv[2]) / "sweeps"

RECEIVED = """Arguments received: ['1', 'A']
Arguments received: ['1', 'B']
Arguments received: ['2', 'A']
Arguments received: ['2', 'B']
Arguments received: ['3', 'A']
Arguments received: ['3', 'B']
"""


def argv_lines(*columns):
    """What script.py prints for the product of the columns."""
    rows = [[]]
    for column in columns:
        rows = [[*row, str(value)] for row in rows for value in column]
    return "".join(f"{row}\n" for row in rows)


class Examples(SweepCase):
    PROGRAMS = ("awk", "env")

    def setUp(self):
        super().setUp()
        shutil.copytree(EXAMPLES, self.directory, dirs_exist_ok=True)

    def bash(self, text, status=0):
        """Its stdout; as typed, with what bash makes of braces and brackets."""
        result = subprocess.run(["bash", "--noprofile", "--norc", "-c", text], cwd=self.directory, env=self.environment,
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, status, result.stderr)
        return result.stdout

    def both(self, text, expected, in_any_order=False):
        """As typed and with every span quoted."""
        for line in (text, re.sub(r"span:\S+", r"'\g<0>'", text)):
            with self.subTest(line):
                out = self.bash(line)
                if in_any_order:
                    self.assertEqual(sorted(out.splitlines()), sorted(expected.splitlines()))
                else:
                    self.assertEqual(out, expected)

    def test_ranges_lists_and_their_product(self):
        self.both('hakurun echo "Value: " span:{1..5}', "".join(f"Value:  {n}\n" for n in range(1, 6)))
        self.both('hakurun echo "Size: " span:[small,medium,large]', "Size:  small\nSize:  medium\nSize:  large\n")
        self.both('hakurun echo "Param" span:{1..3} span:[A,B]',
                  "Param 1 A\nParam 1 B\nParam 2 A\nParam 2 B\nParam 3 A\nParam 3 B\n")

    def test_python_scripts(self):
        self.both("hakurun python demo_hakurun.py span:{1..3} span:[A,B]", RECEIVED)
        self.both("hakurun python script.py span:{1..3} span:[A,B,C]", argv_lines((1, 2, 3), "ABC"))
        self.both("hakurun python script.py span:{1..3} span:{1..3} span:{1..3}",
                  argv_lines((1, 2, 3), (1, 2, 3), (1, 2, 3)))
        self.both("hakurun --parallel python script.py span:{1..3} span:[A,B]", argv_lines((1, 2, 3), "AB"), True)
        self.both("hakurun --parallel python process.py span:{A..Z}",
                  "".join(f"Processing {chr(c)}\n" for c in range(ord("A"), ord("Z") + 1)), True)
        self.both("hakurun --parallel echo python script.py span:{1..3} span:[A,B]",
                  "".join(f"python script.py {n} {x}\n" for n in (1, 2, 3) for x in "AB"), True)

    def test_parallel_processes(self):
        out = self.bash("cd pids && hakurun --parallel python ./demo_hakurun.py span:{1..2} fixed_arg span:[input_a,input_b]")
        found = re.findall(r"Args: \['(\d)', 'fixed_arg', '(\w+)'\], PID: (\d+)\n", out)
        self.assertEqual({row[:2] for row in found}, {("1", "input_a"), ("1", "input_b"), ("2", "input_a"), ("2", "input_b")})
        self.assertEqual(len({row[2] for row in found}), 4)

    def check_training(self, out, rates, batches, epochs):
        blocks = re.findall(r"Training model with lr=([\d.]+), batch=(\d+), epochs=(\d+)\nAccuracy: (\d\.\d\d)\n", out)
        expected = {(str(rate), str(batch), str(count), f"{min(rate * batch * count / 100, 0.95):.2f}")
                    for rate in rates for batch in batches for count in epochs}
        self.assertEqual(set(blocks), expected)
        self.assertEqual(len(out.splitlines()), 2 * len(expected))

    def test_training(self):
        rates = (0.001, 0.01, 0.1)
        out = self.bash("hakurun --parallel python train_model.py span:[0.001,0.01,0.1] span:{32,64} span:{10,20}")
        self.check_training(out, rates, (32, 64), (10, 20))
        out = self.bash("hakurun --parallel python train_model.py --lr span:[0.001,0.01,0.1] --batch span:{32,64,128}")
        self.check_training(out, rates, (32, 64, 128), (10,))
        self.assertEqual(self.bash("hakurun python3 train_model.py 0.01 64 20"),
                         "Training model with lr=0.01, batch=64, epochs=20\nAccuracy: 0.13\n")

    def test_executables(self):
        self.both("hakurun ./process_data.py --input data.csv --output span:[output1.csv,output2.csv]",
                  "data.csv -> output1.csv\ndata.csv -> output2.csv\n")
        self.assertEqual((self.directory / "output2.csv").read_text(), "name,value\na,1\nb,2\n")
        self.both("hakurun ./my_executable span:{1..3}", "".join(f"my_executable got {n}\n" for n in (1, 2, 3)))
        self.both("hakurun --parallel ./process.sh span:[file1.csv,file2.csv] --threshold span:{0.1,0.2,0.3}",
                  "file1.csv: 2 values from 0.1 on\nfile1.csv: 1 values from 0.2 on\nfile1.csv: 0 values from 0.3 on\n"
                  "file2.csv: 2 values from 0.1 on\nfile2.csv: 2 values from 0.2 on\nfile2.csv: 1 values from 0.3 on\n", True)
        self.both("hakurun ./test_app --mode span:[debug,release] --threads span:{1,2,4,8}",
                  "".join(f"mode {mode}, threads {n}\n" for mode in ("debug", "release") for n in (1, 2, 4, 8)))

    def test_modules_functions_and_methods(self):
        self.both("hakurun python -m my_module span:{1..3}", "".join(f"my_module got ['{n}']\n" for n in (1, 2, 3)))
        self.both("hakurun my_module span:{1..3}", "".join(f"my_module got ['{n}']\n" for n in (1, 2, 3)))
        self.both("hakurun my_module:my_function span:{1..3}", "".join(f"my_function got {n}\n" for n in (1, 2, 3)))
        self.both("hakurun my_module:Model.train span:{64,128}",
                  "Model with rate 0.5 and size 64\nModel with rate 0.5 and size 128\n")
        self.both("hakurun my_module:Model.describe span:[1,b]", "a model named '1'\na model named 'b'\n")

    def test_results_and_errors_in_files(self):
        self.bash("hakurun experiment:main span:{1..2} span:[A,B]")
        results = {path.name: path.read_text() for path in self.directory.glob("results_*")}
        self.assertEqual(results, {"results_1_A.txt": "1A", "results_1_B.txt": "1B", "results_2_A.txt": "2A"})
        self.assertEqual((self.directory / "error_2_B.txt").read_text(), "Error: no luck")

    def test_a_million_combinations(self):
        text = "hakurun OPTION python script.py span:{1..100} span:{1..100} span:{1..100}"
        self.assertEqual(self.bash(text.replace("OPTION", "--count")), "1000000\n")
        self.assertEqual(self.bash(text.replace("OPTION", "--dry-run") + " | head -1"), "python script.py 1 1 1\n")
        self.assertEqual(self.bash(text.replace("OPTION", "--limit 2")), "['1', '1', '1']\n['1', '1', '2']\n")

    def test_every_command_of_the_readme_runs(self):
        """In order, in one directory."""
        text = (self.directory / "README.md").read_text(encoding="utf-8")
        commands = [line for line in re.search(r"```bash\n(.*?)```", text, re.DOTALL).group(1).splitlines()
                    if line.startswith("hakurun")]
        self.assertGreater(len(commands), 15)
        for command in commands:
            with self.subTest(command):
                self.bash(command)
        self.assertEqual(len(list((self.directory / "runs").iterdir())), 6)
        self.assertEqual((self.directory / "test-4.log").read_text(), "mode release, threads 2\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
