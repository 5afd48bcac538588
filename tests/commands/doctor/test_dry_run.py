"""`cgdmer doctor --profile NAME`: each thing that a profile needs, there and not there."""

import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from cgdmer import cli, demo_corpora, settings
from cgdmer.commands.doctor import corpora, dry_run, room, trial_step
from cgdmer.settings import Corpus
from cgdmer.training.engine import Engine

ROOT = Path(__file__).resolve().parents[3]
TINY = "model: {width: 32, heads: 2, depth: 1, decoder_width: 16, projection: 16, text_width: 32, text_depth: 1}\n"
usage = namedtuple("usage", "total used free")


@pytest.fixture
def profiles(project, monkeypatch):
    """Put a small profile, and the demo under it, into the project; its corpora are tiny simulated ones."""
    (project / "params").mkdir()
    shutil.copy(ROOT / "params/demo.yaml", project / "params/demo.yaml")
    shutil.copy(ROOT / "params/demo.yaml", project / "params.yaml")
    small = TINY + "".join(f"{source}\n" for source in ("corpora:", "  mimic_iv_ecg: {way: simulate, records: 40}"))
    (project / "params/small.yaml").write_text(small)
    monkeypatch.setattr(room, "WRITTEN", room.BLOCK)
    return project / "params"


@pytest.fixture
def chosen(profiles):
    content = settings.merge(settings.read(profiles / "demo.yaml"), settings.read(profiles / "small.yaml"))
    return settings.parse(content)


def facts(states, name="small"):
    return {(state, fact): fix for state, fact, fix in states(dry_run.dry_run(name))}


def one(found, start):
    ((state, fact),) = [key for key in found if key[1].startswith(start)]
    return state, fact


def test_a_profile_that_can_run_is_proved_by_a_step(profiles, states, capsys):
    found = facts(states)
    assert {state for state, _ in found} == {"ok", "note"}
    assert one(found, "profile small")[0] == "ok"
    assert one(found, "mimic_iv_ecg: 40 simulated recordings, not")[0] == "note"
    assert "2 records instead of 32" in one(found, "no GPU")[1]
    before = (profiles.parent / "params.yaml").read_text()
    assert cli.main(["--quiet", "doctor", "--profile", "small"]) == 0
    assert "disk, computed" in capsys.readouterr().out
    assert (profiles.parent / "params.yaml").read_text() == before


def test_an_unknown_profile_and_a_width_that_heads_do_not_divide_are_bad(profiles, states, capsys):
    assert one(facts(states, "smal"), "no profile")[1].endswith("did you mean 'small'?")
    (profiles / "small.yaml").write_text("model: {width: 90, heads: 4}\n")
    ((state, fact, _),) = states(dry_run.dry_run("small"))
    assert state == "bad"
    assert "model.heads" in fact
    assert cli.main(["--quiet", "doctor", "--profile", "small"]) == 1
    assert "1 to fix" in capsys.readouterr().out


def test_edits_of_params_yaml_count(profiles, states):
    path = profiles.parent / "params.yaml"
    path.write_text(path.read_text().replace("batch: 32", "batch: 8"))
    found = facts(states)
    assert ("note", "profile small: kept your train.batch: 8") in found
    assert "2 records instead of 8" in one(found, "no GPU")[1]


def test_a_copy_is_counted_and_a_missing_one_is_bad(profiles, states, monkeypatch, tmp_path):
    (profiles / "small.yaml").write_text(TINY + "corpora:\n  mimic_iv_ecg: {way: local}\n")
    (tmp_path / "copies").mkdir()
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "copies"))
    found = facts(states)
    state, fact = one(found, "no pretraining corpus is left")
    assert state == "bad"
    assert f"left out: mimic_iv_ecg: no local copy under CGDMER_RAW_ROOT={tmp_path / 'copies'}" in fact
    assert "cgdmer profile real" in found[state, fact]
    demo_corpora.write("mimic_iv_ecg", tmp_path / "copies/mimic_iv_ecg.zip", Corpus(records=12, seed=1))
    state, fact = one(facts(states), "mimic_iv_ecg")
    assert state == "ok"
    assert fact.endswith("12 recordings")


def test_several_copies_of_a_corpus_are_bad_and_told_once(profiles, states, monkeypatch, tmp_path):
    (profiles / "small.yaml").write_text(TINY + "corpora:\n  mimic_iv_ecg: {way: local}\n  csn: {way: local}\n")
    for source in ("mimic_iv_ecg", "csn"):
        demo_corpora.write(source, tmp_path / f"{source}.zip", Corpus(records=8, seed=1))
        for version in ("1.0.0", "1.0.1"):
            shutil.unpack_archive(tmp_path / f"{source}.zip", tmp_path / "copies" / source / version)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "copies"))
    for source in ("mimic_iv_ecg", "csn"):
        told = [one for one in facts(states) if source in one[1]]
        assert [state for state, _ in told] == ["bad"]
        assert told[0][1].startswith(f"several local copies could be {source}: ")


def test_a_corpus_that_must_be_a_copy_is_bad_without_a_raw_root(profiles, states):
    content = settings.merge(settings.read(profiles / "demo.yaml"), {"corpora": {"mimic_iv_ecg": {"way": "local"}}})
    found = corpora.find(settings.parse(content))
    ((state, fact, fix),) = [one for one in states(corpora.findings(found)) if one[1].startswith("no local copy")]
    assert (state, fact) == ("bad", "no local copy of mimic_iv_ecg because CGDMER_RAW_ROOT is not set")
    assert fix.startswith("export CGDMER_RAW_ROOT=")


def test_the_hours_are_those_of_the_training_split():
    base = settings.read(ROOT / "params/demo.yaml")
    paper = settings.parse(settings.merge(base, settings.read(ROOT / "params/paper.yaml")))
    mimic = corpora.Copy("local", Path(), records=800_035)
    assert corpora.trained_on(paper, {"mimic_iv_ecg": mimic, "csn": mimic}) == 784_034  # docs/paper_scale.md
    assert corpora.trained_on(paper, {}) == 0


def test_published_tables_are_required_and_compared_with_their_checksums(profiles, states, monkeypatch, tmp_path):
    (profiles / "small.yaml").write_text(TINY + "corpora:\n  csn: {splits: published}\n")
    assert one(facts(states), "the published splits of csn are required")[0] == "bad"
    monkeypatch.setenv("CGDMER_PROTOCOL_ROOT", str(tmp_path))
    state, fact = one(facts(states), str(tmp_path))
    assert (state, fact.endswith("is missing")) == ("bad", True)


def test_a_missing_report_encoder_is_bad_and_a_small_one_takes_its_place(profiles, states):
    (profiles / "small.yaml").write_text(f"{TINY[:-2]}, text: nobody/no-encoder}}\n")
    found = facts(states)
    state, fact = one(found, "model.text: ")
    assert state == "bad"
    assert found[state, fact].startswith("hf download nobody/no-encoder")
    assert one(found, "a small report encoder stands in")[0] == "note"
    assert one(found, "no GPU")[0] == "note"


def test_a_profile_that_compiles_needs_a_compiler(profiles, states, monkeypatch, tmp_path):
    (profiles / "small.yaml").write_text(f"{(profiles / 'small.yaml').read_text()}train: {{compile: true}}\n")
    monkeypatch.setattr(dry_run.compiler, "cpp_compiler", lambda: None)
    monkeypatch.delenv("CXX", raising=False)
    found = facts(states)
    state, fact = one(found, "train.compile")
    assert (state, fact) == ("bad", "train.compile: true needs a C++ compiler: none is on the PATH")
    assert found[state, fact].endswith("or set train.compile: false in params.yaml")


def test_the_bytes_that_a_profile_needs_are_computed(chosen):
    found = {"ptb_xl": corpora.Copy("local", Path(), 3, 999, 100), "csn": corpora.Copy("simulate", None, 1, 50, 10)}
    task = torch.nn.Sequential(torch.nn.Linear(9, 10), torch.nn.Linear(10, 1).requires_grad_(False))
    need = room.need(chosen, found, task)
    assert need.simulated == 50
    assert need.shards == 110 * 12 * 1000 * 2
    encoders = len(chosen.matrix.encoders) + len(chosen.matrix.controls)
    assert chosen.model.pooling == "statistics"  # three values per dimension of the model
    assert need.embeddings == 110 * encoders * (4 * 3 * 32 + 16) * 4
    state, weights = 4 * (3 * 100 + 11), 4 * 111
    assert (need.checkpoints, need.model) == (3 * state + weights, weights)
    once = need.simulated + need.shards + need.embeddings + need.model
    assert [need.total(copies) - need.checkpoints for copies in (1, 2)] == [once, 2 * once]


def test_a_disk_without_room_is_bad_and_a_slow_one_is_noted(chosen, states, monkeypatch):
    task = trial_step.build(chosen)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 1000))
    monkeypatch.setattr(room, "write_speed", lambda folder: 1e6)
    found = {fact: state for state, fact, _ in states(room.findings(chosen, corpora.find(chosen), task))}
    assert [state for fact, state in found.items() if fact.startswith("disk, computed")] == ["bad"]
    assert [state for fact, state in found.items() if "writes 1 MB/s" in fact] == ["note"]

    def full(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "write_speed", full)
    ((state, fact, _),) = states(room.speed(Path(), 1))
    assert state == "bad"
    assert fact.endswith("No space left on device")


def test_the_way_in_which_the_cache_links_is_tried(tmp_path, monkeypatch):
    assert room.link_type(tmp_path, tmp_path) in ("reflink", "hardlink")

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(room.fcntl, "ioctl", refuse)
    assert room.link_type(tmp_path, tmp_path) == "hardlink"
    monkeypatch.setattr(room.os, "link", refuse)
    assert room.link_type(tmp_path, tmp_path) == "copy"
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize(("fits", "state"), [(32, "ok"), (8, "bad")])
def test_a_batch_that_does_not_fit_names_the_division_that_does(chosen, states, monkeypatch, fits, state):
    """The GPU is played: steps run on the CPU, and a micro-batch of more than `fits` records runs out of memory."""
    task = trial_step.build(chosen)
    engine = Engine(task, chosen.train, trial_step.World(0, 1, torch.device("cpu")))
    for name in ("reset_peak_memory_stats", "empty_cache"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *_: (0, 24_000_000_000))
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda *_: 7_000_000_000)

    def step(micro_batches):
        if max(micro_batch.sizes[0] for micro_batch in micro_batches) > fits:
            raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(engine, "try_step", step)
    ((given, fact, fix),) = states(trial_step.on_gpu(engine, chosen, 32, 1000, 1))
    assert given == state
    assert "7.0 of 24.0 GB" in fact
    assert "1,000 records x 8 epochs" in fact
    assert fix == ("" if state == "ok" else "set train.accumulate: 4 in params.yaml")
    fits = 0
    ((given, fact, _),) = states(trial_step.on_gpu(engine, chosen, 32, 1000, 1))
    assert (given, fact) == ("bad", "not even one record fits in GPU memory")
