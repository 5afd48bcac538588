"""Every reader with damaged input: the same 4,000 cases in every run, CGDMER_FUZZ_CASES new ones in `make fuzz`."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgdmer import report_text
from cgdmer.errors import DataError
from cgdmer.waveforms import parse_header
from cgdmer.waveforms.matlab import read_struct

ROOT = Path(__file__).resolve().parents[2]
CASES = int(os.environ.get("CGDMER_FUZZ_CASES", "4000"))
SEED = random.randrange(10**9) if "CGDMER_FUZZ_CASES" in os.environ else 0
"""A search for new faults is `make fuzz`; the default run must not depend on luck."""
FIELDS = st.sampled_from(
    ["r", "12", "500", "16", "16+24", "1000(0)/mV", "0", "-32768", "r.dat", "V1", "#", "/", "~", "1e9"]
)


@pytest.mark.timeout(300 + CASES // 10)
def test_damaged_bytes_are_read_or_refused_and_never_more():
    command = [sys.executable, "-m", "support.fuzzer", str(CASES), str(SEED)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CGDMER_FUZZ")}
    done = subprocess.run(
        command,
        env=environment | {"CGDMER_EXECUTOR": "serial", "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    result = json.loads(done.stdout)
    assert sum(result["ran"].values()) == CASES
    assert len(result["refused"]) >= 11, "nearly every target must refuse some damaged inputs"


@given(st.lists(st.lists(FIELDS | st.text(max_size=8), max_size=10).map(" ".join), max_size=14).map("\n".join))
@settings(max_examples=200)
def test_any_text_is_a_header_or_says_why_not(text):
    try:
        header = parse_header(text.encode("utf-8", "surrogatepass"), "r.hea")
    except DataError:
        return
    assert header.fs > 0
    assert all("/" not in name and name not in ("..", "") for name in header.files)


@given(st.binary(max_size=300))
@settings(max_examples=150)
def test_any_bytes_are_a_struct_or_say_why_not(content):
    try:
        read_struct(content, "r.mat")
    except DataError:
        return


@given(st.lists(st.text(max_size=60) | st.none(), max_size=5))
@settings(max_examples=150)
def test_any_lines_become_one_line_of_report(lines):
    cleaned = report_text.clean(lines)
    assert cleaned
    assert not set("\n\r\t") & set(cleaned)
