import json
from contextlib import chdir

import polars as pl
import pytest
from support.example_source import Example

from cgdmer import paths, validation
from cgdmer.errors import ConfigError, DataError, ValidationFailed
from cgdmer.files import write_json
from cgdmer.settings import Signal, Validation

SETTINGS = Validation(), Signal()


def states(result):
    return {entry["name"]: entry["state"] for entry in result["expectations"]}


def entry(result, name):
    return next(entry for entry in result["expectations"] if entry["name"] == name)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Return the folder and the result of a source without a fault."""
    folder = tmp_path_factory.mktemp("sound")
    with chdir(folder):
        Example().write()
        return folder, validation.assess("ptb_xl", *SETTINGS)


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Return the folder and the result of a source with one fault of every kind."""
    folder = tmp_path_factory.mktemp("faulty")
    example = Example(manifest={"fs": 250.0}, quarantine=[("x1", "a.hea", "zero gain"), ("x2", "b.hea", "zero gain")])
    number = pl.int_range(pl.len())
    example.index = example.index.with_columns(
        id=pl.when(number == 3).then(pl.lit("2")).otherwise("id"),
        split=pl.when(number == 16).then(pl.lit("test")).when(number < 2).then(pl.lit("tests")).otherwise("split"),
        fs=pl.when(number.is_in([5, 8, 9, 15])).then(1e6).otherwise("fs"),
        samples=pl.when(number.is_in([6, 20, 21, 22])).then(0).otherwise("samples"),
        age=pl.when(number < 20).then(500.0).otherwise("age"),
        sex=pl.when(number == 1).then(pl.lit("m")).otherwise("sex"),
        report=pl.when(number == 4).then(pl.lit("word " * 300)).otherwise("report"),
        **{"ptb_xl_super/MI": pl.when(number == 7).then(2).otherwise("ptb_xl_super/MI").cast(pl.UInt8)},
    )
    example.rows = example.rows.with_columns(
        id=pl.when(number == 59).then(pl.lit("stranger")).otherwise("id"),
        valid=pl.when(number == 10).then(0).otherwise("valid").cast(pl.Int32),
        amplitude_uv=pl.when(number.is_in([11, 40, 41, 42])).then(25_000).otherwise("amplitude_uv").cast(pl.Int32),
        identity_uv=pl.when(number < 30).then(400.0).otherwise("identity_uv").cast(pl.Float32),
        flat=pl.when(number < 30).then(5).otherwise("flat").cast(pl.UInt16),
        clipped=pl.when(number == 12).then(0.2).otherwise("clipped").cast(pl.Float32),
        bridged=pl.when(number == 13).then(4).otherwise("bridged").cast(pl.Int32),
        signal_digest=pl.when(number.is_in(range(14, 43, 4))).then(pl.lit("same")).otherwise("signal_digest"),
    )
    with chdir(folder):
        example.write()
        result = validation.assess("ptb_xl", *SETTINGS)
        write_json(paths.validation("ptb_xl") / "result.json", result)
        return folder, result


def test_a_sound_source_passes_everything(sound):
    _, result = sound
    assert result["success"]
    assert set(states(result).values()) == {"passed", "not applicable", "flagged"}
    assert entry(result, "reports_varied")["state"] == "flagged"
    assert "holds 60 of the 21,799" in entry(result, "label_totals_ptb_xl_super")["note"]


def test_the_same_tables_give_the_same_result(sound):
    folder, first = sound
    with chdir(folder):
        again = validation.assess("ptb_xl", *SETTINGS)
    assert json.dumps(first, sort_keys=True) == json.dumps(again, sort_keys=True)


@pytest.mark.parametrize(
    ("name", "count", "example"),
    [
        ("shard_form", 1, "fs"),
        ("ids_unique", 2, "2"),
        ("patients_one_split", 2, "16"),
        ("splits_known", 2, "0"),
        ("fs_plausible", 4, "5"),
        ("samples_present", 4, "6"),
        ("ages_in_range", 20, "0"),
        ("sexes_known", 1, "1"),
        ("labels_ptb_xl_super", 1, "7"),
        ("shard_ids_indexed", 2, "3"),
        ("valid_length", 1, "10"),
        ("amplitude_possible", 4, "11"),
        ("lead_identities", 30, "0"),
        ("leads_alive", 30, "0"),
        ("signals_distinct", 8, "14"),
    ],
)
def test_each_critical_fault_fails_its_expectation(faulty, name, count, example):
    _, result = faulty
    outcome = entry(result, name)
    assert (outcome["state"], outcome["unexpected_count"]) == ("failed", count)
    assert example in outcome["examples"]
    assert name in result["critical_failed"]


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("reports_short", "warning"),
        ("clipping_rare", "warning"),
        ("gaps_bridged", "warning"),
        ("amplitude_usual", "warning"),
        ("leads_twelve", "passed"),
        ("leads_present", "passed"),
    ],
)
def test_warnings_do_not_fail(faulty, name, state):
    _, result = faulty
    assert states(result)[name] == state
    assert name not in result["critical_failed"]


def test_quarantined_records_and_repeated_signals_are_counted(faulty):
    _, result = faulty
    assert result["quarantined"] == {"zero gain": 2}
    assert result["duplicates"] == [["14", "18", "22", "26", "30", "34", "38", "42"]]


def test_the_verdict_names_expectation_rows_and_command(faulty):
    _, result = faulty
    with pytest.raises(ValidationFailed) as caught:
        validation.verdict(result)
    text = str(caught.value)
    assert "patients_one_split: 2 rows (3.33%), none may fail. " in text
    assert "leads_alive: 30 rows (50.00%), 20.00% may fail, here" in text
    assert f"python -m cgdmer check ptb_xl --failed {result['critical_failed'][0]}" in text
    assert caught.value.code == 4


def test_failing_rows_lists_all_of_them_with_the_value(faulty):
    folder, _ = faulty
    with chdir(folder):
        rows = validation.failing_rows("ptb_xl", "lead_identities")
    assert rows.height == 30
    assert rows.columns == ["id", "split", "identity_uv"]
    assert rows["identity_uv"].min() == 400.0


def test_an_unknown_expectation_is_named_with_the_near_miss(faulty):
    folder, _ = faulty
    with chdir(folder), pytest.raises(ConfigError, match="did you mean 'lead_identities'"):
        validation.failing_rows("ptb_xl", "lead_identitys")


def test_a_missing_column_fails_the_schema_and_the_rest_says_why_it_did_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example = Example()
    example.index = example.index.drop("patient").with_columns(pl.col("age").cast(pl.Int64))
    example.write()
    result = validation.assess("ptb_xl", *SETTINGS)
    assert entry(result, "index_schema")["examples"] == ["patient", "age"]
    assert entry(result, "index_schema")["values"] == ["missing, expected String", "Int64, expected Float64"]
    assert entry(result, "ids_unique")["note"].startswith("not run")
    assert result["critical_failed"] == ["index_schema"]


def test_missing_shards_are_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (Example().write() / "rows.parquet").unlink()
    with pytest.raises(DataError, match=r"rows\.parquet is missing"):
        validation.assess("ptb_xl", *SETTINGS)
