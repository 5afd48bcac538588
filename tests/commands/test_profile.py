"""`cgdmer profile real` fits the profile to the copies and split tables, and names what it leaves out."""

import re
from pathlib import Path

import polars as pl
import pytest

from cgdmer import demo_corpora, settings
from cgdmer.commands import profile
from cgdmer.errors import ConfigError, DataError
from cgdmer.settings import Corpus

ROOT = Path(__file__).resolve().parents[2]
ALL = ["mimic_iv_ecg", "ptb_xl", "cpsc2018", "csn"]


@pytest.fixture
def copies(tmp_path, monkeypatch) -> Path:
    """Make a project whose `params.yaml` is the demo with hash splits asked for, and an empty raw root; return it."""
    (tmp_path / "params").mkdir()
    text = (ROOT / "params/demo.yaml").read_text()
    (tmp_path / "params/demo.yaml").write_text(text)
    (tmp_path / "params/real.yaml").write_text((ROOT / "params/real.yaml").read_text())
    (tmp_path / "params.yaml").write_text(text)
    (tmp_path / "copies").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "copies"))
    monkeypatch.delenv("CGDMER_PROTOCOL_ROOT", raising=False)
    return tmp_path / "copies"


def ask_for_hash_splits() -> None:
    path = Path("params.yaml")
    head, *corpora = re.split(r"(?=^  (?:cpsc2018|csn):)", path.read_text(), flags=re.MULTILINE)
    assert len(corpora) == 2
    path.write_text(head + "".join(text.replace("splits: auto", "splits: hash") for text in corpora))


def add(copies: Path, source: str, records: int = 120) -> None:
    demo_corpora.write(source, copies / f"{source}.zip", Corpus(records=records, seed=5))


def test_all_three_corpora_are_benchmarked_where_they_are_and_a_missing_one_is_named(copies):
    ask_for_hash_splits()
    add(copies, "ptb_xl")
    add(copies, "cpsc2018")
    message = profile.switch("real", "keep")
    assert "mimic_iv_ecg: 4,000 simulated recordings, as the profile says; no copy is looked for" in message
    assert [line for line in message.splitlines() if line.startswith("left out")] == [
        f"left out: csn: no local copy under CGDMER_RAW_ROOT={copies}; cgdmer check csn lists the names"
    ]
    chosen = settings.load()
    assert chosen.matrix.benchmarks == ["ptb_xl", "cpsc2018"]
    assert chosen.matrix.sources == ["mimic_iv_ecg", "ptb_xl", "cpsc2018"]
    assert chosen.pretraining_set.sources == ["mimic_iv_ecg", "ptb_xl"]
    add(copies, "csn")
    message = profile.switch("real")
    assert "left out" not in message
    assert "kept your matrix" not in message
    assert settings.load().matrix.sources == ALL
    assert settings.load().matrix.benchmarks == ["ptb_xl", "cpsc2018", "csn"]


def test_a_copy_that_cannot_be_scored_does_not_stop_the_others(copies):
    ask_for_hash_splits()
    for source, records in (("ptb_xl", 120), ("cpsc2018", 120), ("csn", 8)):
        add(copies, source, records)
    message = profile.switch("real", "keep")
    (line,) = [line for line in message.splitlines() if line.startswith("left out")]
    assert line.startswith("left out of the benchmarks: csn: ")
    assert line.endswith("it is still indexed and validated")
    assert settings.load().matrix.benchmarks == ["ptb_xl", "cpsc2018"]
    assert settings.load().matrix.sources == ALL


def test_a_missing_pretraining_corpus_leaves_the_pretraining_set(copies):
    ask_for_hash_splits()
    add(copies, "cpsc2018")
    profile.switch("real", "keep")
    assert settings.load().pretraining_set.sources == ["mimic_iv_ecg"]
    assert settings.load().matrix.benchmarks == ["cpsc2018"]


def test_nothing_is_written_if_no_benchmark_is_left(copies):
    before = Path("params.yaml").read_text()
    with pytest.raises(DataError, match="no benchmark is left\nleft out: ptb_xl"):
        profile.switch("real")
    assert Path("params.yaml").read_text() == before


def test_without_a_raw_root_nothing_is_left_out(copies, monkeypatch):
    ask_for_hash_splits()
    monkeypatch.delenv("CGDMER_RAW_ROOT")
    message = profile.switch("real", "keep")
    assert "CGDMER_RAW_ROOT is not set, so no copy of ptb_xl, cpsc2018, csn was looked for" in message
    assert settings.load().matrix.benchmarks == ["ptb_xl", "cpsc2018", "csn"]


def test_absent_split_tables_stop_the_change_unless_hash_splits_are_asked_for(copies, monkeypatch, tmp_path):
    for source in ("ptb_xl", "cpsc2018", "csn"):
        add(copies, source)
    before = Path("params.yaml").read_text()
    with pytest.raises(ConfigError) as caught:
        profile.switch("real")
    for part in (
        "published splits of cpsc2018 and csn",
        "protocol.way: download",
        "CGDMER_PROTOCOL_ROOT",
        "splits: hash",
    ):
        assert part in str(caught.value)
    assert Path("params.yaml").read_text() == before
    Path("params.yaml").write_text(before.replace("way: none\n", "way: download\n"))
    message = profile.switch("real")
    assert "kept your protocol.way: download" in message
    assert "cpsc2018: a small copy; whether it can be scored" in message
    assert settings.load().corpora["csn"].splits == "published"
    Path("params.yaml").write_text(before)
    monkeypatch.setenv("CGDMER_PROTOCOL_ROOT", str(tmp_path))
    assert "protocol.way: local, because CGDMER_PROTOCOL_ROOT is set" in profile.switch("real")
    assert settings.load().protocol.way == "local"
    Path("params.yaml").write_text(before)
    monkeypatch.delenv("CGDMER_PROTOCOL_ROOT")
    ask_for_hash_splits()
    profile.switch("real", "keep")
    assert settings.load().protocol.way == "none"


def test_ptb_xl_alone_needs_no_split_tables(copies):
    add(copies, "ptb_xl")
    profile.switch("real")
    assert settings.load().matrix.benchmarks == ["ptb_xl"]
    assert settings.load().corpora["ptb_xl"].splits == "published"


def test_several_versions_stop_the_change(copies):
    for name in ("ptb-xl-1.0.1", "ptb-xl-1.0.3"):
        demo_corpora.write("ptb_xl", copies / f"{name}.zip", Corpus(records=8, seed=5))
    with pytest.raises(DataError, match=r"corpora\.ptb_xl\.root"):
        profile.switch("real")


@pytest.mark.parametrize(
    ("overlay", "problem"),
    [
        ("pretraining_set: {sources: [], simulated: {records: 64}}", "train-encoder"),
        ("matrix: {sources: [], benchmarks: []}", "matrix.benchmarks is empty"),
    ],
)
def test_a_profile_that_the_pipeline_cannot_run_is_refused(copies, overlay, problem):
    Path("params/odd.yaml").write_text(overlay)
    with pytest.raises(ConfigError, match=problem):
        profile.switch("odd")


def test_the_demo_looks_for_no_copies(copies):
    assert profile.switch("demo") == "params.yaml is the demo profile; next: dvc repro"


@pytest.mark.parametrize(
    ("split", "values", "problem"),
    [
        (["train", "val", "test", "test"], [1, 0, 1, 0], None),
        (["train", "val", "test", "test"], [1, 0, 1, 1], "every class of cpsc2018 is all positive or all negative"),
        (["train", "test", "test", "test"], [1, 0, 1, 0], "4 records of cpsc2018 and none in the val split"),
        (["train", "val", "", ""], [1, 0, 1, 0], "2 records of cpsc2018 and none in the test split"),
    ],
)
def test_the_rule_is_that_of_the_probe(split, values, problem):
    index = pl.DataFrame({"id": list("abcd"), "split": split, "cpsc2018/AFIB": pl.Series(values, dtype=pl.UInt8)})
    reason = profile.unscorable("cpsc2018", index)
    assert (problem is None) == (reason is None)
    assert (problem or "") in (reason or "")


@pytest.mark.real
def test_the_real_subsets(copies, real, protocol, monkeypatch):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(real))
    monkeypatch.setenv("CGDMER_PROTOCOL_ROOT", str(protocol))
    message = profile.switch("real")
    assert "left out of the benchmarks: cpsc2018: 15 records of cpsc2018 and none in the test split" in message
    assert settings.load().matrix.benchmarks == ["ptb_xl"]
    assert settings.load().matrix.sources == ALL
