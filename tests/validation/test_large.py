"""Validation at full size: the oddities of 800,000 real records pass with warnings, and a systemic defect fails."""

import json
import subprocess
import sys
from collections.abc import Callable

import polars as pl
import pytest
from support import large_source as large

from cgdmer import validation
from cgdmer.errors import ValidationFailed
from cgdmer.settings import Signal, Validation

Tables = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]

ASSESS = r"""
import json, re, sys, time
start = time.process_time()
from cgdmer import validation
from cgdmer.settings import Signal, Validation
result = validation.assess(sys.argv[1], Validation(), Signal())
peak = 1024 * int(re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())[1])  # ru_maxrss includes the parent
print(json.dumps({"result": result, "seconds": time.process_time() - start, "bytes": peak}))
"""


@pytest.fixture(scope="module", params=[40_000, pytest.param(large.RECORDS, marks=pytest.mark.long)])
def corpus(request) -> Tables:
    """Return index, shard rows and quarantine of a corpus with odd records and no systemic defect."""
    index = large.index(request.param)
    refused = large.chosen(index.height, round(large.SHARE_ABOVE_20_MV * index.height), 7)
    usable, quarantined = large.quarantine(index, refused, "amplitude of 36.207 mV, at most 20 mV is possible")
    return index, large.rows(usable), quarantined


def refuse(share: float, reason: str) -> Callable[[Tables], Tables]:
    """Return a defect: a share of the records is quarantined for one reason."""

    def defect(tables: Tables) -> Tables:
        index, rows, quarantined = tables
        refused = large.chosen(index.height, round(share * index.height), 8)
        usable, more = large.quarantine(index, refused, reason)
        return index, rows.join(usable, on="id", how="semi"), pl.concat([quarantined, more]).unique("id")

    return defect


def flat_lead(tables: Tables) -> Tables:
    index, rows, quarantined = tables
    flat = large.chosen(rows.height, 3 * rows.height // 10, 9)
    return index, rows.with_columns(flat=pl.when(flat).then(4).otherwise(0).cast(pl.UInt16)), quarantined


def duplicates(tables: Tables) -> Tables:
    index, rows, quarantined = tables
    number = pl.int_range(pl.len())
    digest = pl.when(number < round(0.03 * rows.height)).then(pl.format("copy {}", number // 2))
    return index, rows.with_columns(signal_digest=digest.otherwise("signal_digest")), quarantined


def leaked(tables: Tables) -> Tables:
    index, rows, quarantined = tables
    leak = pl.int_range(pl.len()).is_in([5, 500])  # the first record of two patients
    split = pl.when(leak & (pl.col("split") == "train")).then(pl.lit("test")).otherwise("split")
    return index.with_columns(split=split), rows, quarantined


def in_index(**columns: pl.Expr) -> Callable[[Tables], Tables]:
    return lambda tables: (tables[0].with_columns(**columns), *tables[1:])


def states(result: dict[str, object]) -> dict[str, str]:
    return {entry["name"]: entry["state"] for entry in result["expectations"]}


def test_odd_records_pass_with_warnings_in_30_seconds_and_2_gigabytes(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    large.write(*corpus)
    done = subprocess.run([sys.executable, "-c", ASSESS, large.SOURCE], capture_output=True, text=True, check=True)
    measured = json.loads(done.stdout)
    result = measured["result"]
    assert result["critical_failed"] == []
    assert {name for name, state in states(result).items() if state == "flagged"} >= {
        "amplitude_possible", "ages_in_range", "fs_plausible", "samples_present", "leads_alive", "lead_identities",
        "signals_distinct", "records_usable",
    }  # fmt: skip
    assert {"leads_twelve", "leads_present", "gaps_bridged"} <= set(result["warnings"])
    assert result["quarantined"] == {"amplitude of # mV, at most 20 mV is possible": corpus[2].height}
    assert measured["seconds"] < 30
    assert measured["bytes"] < 2e9


@pytest.mark.parametrize(
    ("defect", "failed"),
    [
        (refuse(0.05, "amplitude of 1500.000 mV, at most 20 mV is possible"), {"amplitude_possible"}),
        (refuse(0.10, "12 flat leads, at most 6 are allowed"), {"records_usable"}),
        (flat_lead, {"leads_alive"}),
        (duplicates, {"signals_distinct"}),
        (leaked, {"patients_one_split"}),
        (in_index(age=pl.when(pl.int_range(pl.len()) % 20 == 0).then(300.0).otherwise("age")), {"ages_in_range"}),
        (in_index(fs=pl.when(pl.int_range(pl.len()) % 200 == 0).then(20_000.0).otherwise("fs")), {"fs_plausible"}),
    ],
    ids=["microvolt_as_mv", "all_flat", "flat_lead", "duplicates", "leaked", "ages", "rates"],
)
def test_a_systemic_defect_fails_its_expectation(corpus, tmp_path, monkeypatch, defect, failed):
    monkeypatch.chdir(tmp_path)
    large.write(*defect(corpus))
    result = validation.assess(large.SOURCE, Validation(), Signal())
    assert set(result["critical_failed"]) == failed
    with pytest.raises(ValidationFailed) as caught:
        validation.verdict(result)
    for name in failed:
        assert f"{name}: " in caught.value.problem
        assert f"python -m cgdmer check {large.SOURCE} --failed {name}" in caught.value.fix
