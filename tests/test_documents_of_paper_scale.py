"""The computed numbers of docs/paper_scale.md follow from those it says were measured, and from params/paper.yaml."""

import re
from pathlib import Path

import pytest

from cgdmer import settings
from cgdmer.files import read_json
from cgdmer.report import rehearsal, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/paper_scale.md").read_text()
GFLOP, RECORDS_OF_MIMIC = 123.1, 800_035
PROFILE = settings.parse(
    settings.merge(settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / "params/paper.yaml"))
)


def number(pattern: str) -> float:
    """Return the one number that a pattern finds on the page."""
    (text,) = set(re.findall(pattern, PAGE))
    return float(text.replace(",", ""))


PARAMETERS, TRAINED = number(r"has ([\d,]+) parameters"), number(r"of which ([\d,]+) are trained")
FROZEN = PARAMETERS - TRAINED


def test_the_memory_of_a_batch_is_the_state_and_the_activations():
    state, copies = 16 * TRAINED + 4 * FROZEN, number(r"bf16 copies ([\d.]+) GB") * 1e9
    assert number(r"per frozen one:\n([\d.]+) GB") == round(state / 1e9, 2)
    rows = re.findall(r"^\| (\d+) \| ([\d.]+) GB \|$", PAGE, re.M)
    assert [int(batch) for batch, _ in rows] == [64, 128, 256, 512]
    for batch, memory in rows:
        computed = state + copies + int(batch) * number(r"keeps: ([\d.]+) GB per record") * 1e9
        assert float(memory) == pytest.approx(computed / 1e9, abs=0.051)


def test_the_hours_follow_from_the_flops_and_the_assumed_speed():
    trained_on = round((1 - PROFILE.index.val_fraction - PROFILE.index.test_fraction) * RECORDS_OF_MIMIC)
    assert trained_on == number(r"records are ([\d,]+)\. They")
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| (8 x )?(\d+) \| ([\d,]+) \| ([\d.]+) \| ([\d.]+) GB \|$", PAGE, re.M)
    assert len(rows) == 3
    for row, (eight, tera, rate, hours, _) in enumerate(rows):
        flops = GFLOP * 1e9 * (4 / 3 if row == 0 else 1)
        computed = (8 if eight else 1) * float(tera) * 1e12 / flops
        assert float(rate.replace(",", "")) == pytest.approx(computed, abs=0.51)
        assert float(hours) == pytest.approx(trained_on * PROFILE.train.epochs / computed / 3600, abs=0.051)


def test_the_bytes_of_shards_and_checkpoints():
    shard = 12 * PROFILE.signal.samples * 2
    assert f"2 bytes = {shard:,} bytes" in PAGE
    assert f"| MIMIC-IV-ECG 1.0 | {RECORDS_OF_MIMIC:,} | 96.0 GB | {RECORDS_OF_MIMIC * shard / 1e9:.1f} GB |" in PAGE
    state = 12 * TRAINED + 4 * FROZEN
    assert number(r"A checkpoint takes ([\d.]+) GB") == round(state / 1e9, 2)
    kept = (PROFILE.train.keep + 1) * state + 4 * PARAMETERS
    assert number(r"until the run ends: ([\d.]+) GB") == round(kept / 1e9, 1)


def test_the_tables_of_the_rehearsal_are_those_of_its_report():
    measured = rehearsal.Rehearsal.from_json(read_json(ROOT / "reports/rehearsal.json"))
    for one in (rehearsal.run_table(measured), rehearsal.fault_table(measured)):
        assert table.markdown(one).strip() in PAGE
    growth = rehearsal.growth_table(measured)
    shown = [row for row in table.grid(growth).splitlines() if row in PAGE.splitlines()]
    wanted = [one.name for one in measured.growth if one.cpu_hours >= 0.02 or one.memory_mb >= 2000]
    assert [row.split(" | ")[0].removeprefix("| ") for row in shown[2:]] == wanted
