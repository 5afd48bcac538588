"""Tests of one group run on one worker, as `make test` starts them; two would compute a shared fixture twice."""

import os
import re
import subprocess
import sys

MODULE = """
import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(8))
def test_of_a_group(number):
    pass
"""


def test_a_group_of_tests_has_one_worker(tmp_path):
    for name in ("test_a.py", "test_b.py"):
        (tmp_path / name).write_text(MODULE)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-c", "/dev/null", "--rootdir", "."]
    command += ["-v", "-n2", "--dist", "loadgroup", "test_a.py", "test_b.py"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins take seconds to import
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True)
    workers = re.findall(r"\[(gw\d)\].* PASSED", done.stdout)
    assert len(workers) == 16, done.stdout + done.stderr
    assert len(set(workers)) == 1, "pytest and pytest-xdist do not fit: see pyproject.toml"
