"""The output of a flow run whose reader disappears."""

import os
import subprocess
import sys

from flows import output

SCRIPT = """
import sys
from rich.console import Console
from flows import output
if "{kept}" == "kept":
    output.outlive_reader()
print("first", flush=True)
sys.stdin.readline()
console = Console(file=sys.stderr)
for number in range(2000):
    console.print("line", number)
    print("line", number)
open(sys.argv[1], "w").write("reached the end")
"""


def run(kept, marker):
    command = [sys.executable, "-c", SCRIPT.format(kept=kept), str(marker)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=os.environ | {output.RUN: "a run"}, **pipes)


def test_a_reader_that_dies_does_not_end_the_run(tmp_path):
    for kept in ("kept", "lost"):
        process = run(kept, tmp_path / kept)
        assert process.stdout.readline() == "first\n"
        process.stdout.close()
        process.stderr.close()
        process.stdin.write("\n")
        process.stdin.close()
        assert (process.wait(60) == 0) is (kept == "kept")
        assert (tmp_path / kept).exists() is (kept == "kept")


def test_everything_arrives_while_there_is_a_reader(tmp_path):
    process = run("kept", tmp_path / "end")
    out, error = process.communicate("\n", timeout=60)
    assert out.splitlines() == ["first", *(f"line {number}" for number in range(2000))]
    assert error.splitlines() == [f"line {number}" for number in range(2000)]
    assert process.returncode == 0


def test_a_file_is_left_alone(tmp_path):
    with (tmp_path / "log").open("w") as log:
        code = "from flows import output; import threading; output.outlive_reader(); print(threading.active_count())"
        environment = os.environ | {output.RUN: "a run"}
        subprocess.run([sys.executable, "-c", code], stdout=log, stderr=log, check=True, env=environment)
    assert (tmp_path / "log").read_text() == "1\n"
