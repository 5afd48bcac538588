"""`cgdmer folds`: a small corpus end to end, resumed after a kill, and the errors."""

import dataclasses
import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml
from support import example_pool as example
from support.edited_code import edit

from cgdmer import demo_corpora as simulated
from cgdmer import paths, settings
from cgdmer.commands import cross_validation as command
from cgdmer.errors import DataError
from cgdmer.models import weights
from cgdmer.stages.pretrain import pretrain

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Sixty records in the layout of PTB-XL, two of them the same recording."""
    folder = tmp_path_factory.mktemp("copy")
    simulated.write("ptb_xl", folder / "packed.zip", settings.Corpus(records=60, seed=5))
    with zipfile.ZipFile(folder / "packed.zip") as packed:
        packed.extractall(folder / "ptbxl")
    (folder / "packed.zip").unlink()
    first, second, *_ = sorted(folder.rglob("records500/**/*.dat"))
    second.write_bytes(first.read_bytes())
    return folder


def begin(folder, monkeypatch):
    """Pretrain a tiny model in `folder` and write the params that the command needs."""
    monkeypatch.chdir(folder)
    example.write(folder)
    train = settings.Train(epochs=1, batch=24, held_out=0)
    pretrain(
        model=example.MODEL, masking=settings.Masking(), objective=settings.Objective(),
        augmentation=settings.Augmentation(), train=train, signal=example.SIGNAL,
    )  # fmt: skip
    content = settings.read(ROOT / "params/demo.yaml")
    content |= {"model": example.MODEL.model_dump(), "signal": example.SIGNAL.model_dump()}
    content["probe"] |= {"C": [0.01, 1.0], "bootstrap": 50}
    Path("params.yaml").write_text(yaml.safe_dump(content))
    Path("params").mkdir()
    Path("params/folds.yaml").write_text("train: {epochs: 1, batch: 24, held_out: 0}\n")


@pytest.mark.long
def test_it_pretrains_for_every_fold_and_says_what_came_out(copy, tmp_path, monkeypatch):
    begin(tmp_path, monkeypatch)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(copy))
    simulated.write(
        "ptb_xl", paths.raw("ptb_xl") / "ptb_xl.zip", settings.Corpus(records=24, seed=6)
    )  # as make demo leaves
    fit, calls = command.fit, []

    def die_in_the_third(*arguments, **named):
        calls.append(arguments[2])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(*arguments, **named)

    monkeypatch.setattr(command, "fit", die_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        command.cross_validate()
    result = command.cross_validate()
    assert len(calls) == 3 + 3, "the two folds that were done are not done again"
    assert list(result["encoders"]) == ["cgdmer", "cgdmer, simulated corpora only", "handcrafted"]
    assert list(result["encoders"]["cgdmer"]) == ["pooled", "shared", "specific"]
    assert set(result["differences"]) == set(result["encoders"]) - {"cgdmer"}
    assert result["left_out"]["same recording as another"] == 1
    assert 24 < sum(result["records_by_fold"]) == result["records"] <= 59, "the local copy, not the simulated corpus"
    for fold, (count, held_out) in enumerate(calls[:2]):
        real = result["records"] - result["records_by_fold"][fold]
        assert held_out == 0
        assert count <= 72 + 2 * real
    written = {path.name: path.read_text() for path in (paths.REPORTS / "folds").iterdir()}
    assert json.loads(written["ptb_xl_super.json"]) == json.loads(json.dumps(result))
    assert not [text for text in written.values() if str(copy) in text or str(tmp_path) in text]
    assert not paths.scratch("folds").exists()


def test_weights_that_saw_the_corpus_are_refused():
    with pytest.raises(DataError, match="has seen ptb_xl"):
        command.check_unseen({"mimic_iv_ecg", "ptb_xl"})


def test_the_overlay_that_ships_fits_the_settings():
    merged = settings.merge(settings.read(ROOT / "params/demo.yaml"), settings.read(ROOT / command.OVERLAY))
    assert settings.parse(merged).train.held_out == 0


@pytest.fixture
def dealt(copy, tmp_path, monkeypatch):
    """The settings, and the records of the copy, in a folder with weights."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(copy))
    (tmp_path / paths.MODEL).mkdir(parents=True)
    (tmp_path / paths.MODEL / weights.WEIGHTS).write_bytes(b"weights")
    config = settings.load(ROOT / "params/demo.yaml")
    return config, command.read_corpus(config, example.SIGNAL, Path("work"))


def test_params_choose_between_copies_that_the_raw_root_does_not(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for version in ("1.0.1", "1.0.3"):
        shutil.copytree(copy / "ptbxl", tmp_path / "mirror/ptb-xl" / version)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path / "mirror"))
    config = settings.load(ROOT / "params/demo.yaml")
    with pytest.raises(DataError, match=r"several local copies") as caught:
        command.read_corpus(config, example.SIGNAL, Path("work"))
    assert "corpora.ptb_xl.root" in str(caught.value)
    chosen = config.corpora["ptb_xl"].model_copy(update={"root": str(tmp_path / "mirror/ptb-xl/1.0.3")})
    config = config.model_copy(update={"corpora": {**config.corpora, "ptb_xl": chosen}})
    assert len(command.read_corpus(config, example.SIGNAL, Path("work")).rows) > 24


def corrected(records):
    labels = records.labels.copy()
    labels[0] = 1 - labels[0]
    return {"labels": labels}


def dealt_anew(records):
    return {"folds": (records.folds + 1) % command.FOLDS}


@pytest.mark.parametrize("change", [corrected, dealt_anew])
def test_features_of_a_fold_are_not_reused_with_other_labels_or_folds(dealt, change):
    config, records = dealt
    changed = dataclasses.replace(records, **change(records))
    assert command.key(config, changed, {}) != command.key(config, records, {}) == command.key(config, records, {})


@pytest.mark.parametrize("section", ["augmentation", "train", "objective", "embed"])
def test_features_of_a_fold_are_not_reused_with_other_settings(dealt, section):
    config, records = dealt
    change = {
        "augmentation": {"noise": 0.123},
        "train": {"seed": 99},
        "objective": {"contrastive": 0.5},
        "embed": {"crops": 2},
    }
    values = getattr(config, section).model_copy(update=change[section])
    changed = config.model_copy(update={section: values})
    assert command.key(changed, records, {}) != command.key(config, records, {})


@pytest.mark.parametrize(
    "file", ["cgdmer/training/engine.py", "cgdmer/encoders/pretrained.py", "cgdmer/page/style.css"]
)
def test_features_of_a_fold_are_not_reused_with_other_code(dealt, monkeypatch, file):
    before = command.key(*dealt, {})
    edit(monkeypatch, file)
    assert (command.key(*dealt, {}) == before) == file.endswith(".css")


@pytest.mark.slow
@pytest.mark.real
def test_real_recordings_give_folds_without_shared_patients(real, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(real))
    config = settings.load(ROOT / "params/demo.yaml")
    records = command.read_corpus(config, example.SIGNAL, Path("work"))
    assert (records.shards.samples, len(records.rows)) == (200, 484)
    assert records.excluded == {"quarantined": 0, "without a class of the task": 12, "same recording as another": 4}
    both = records.frame.with_columns(fold=records.folds).group_by("patient").agg(n=command.pl.col("fold").n_unique())
    assert both["n"].max() == 1
    assert records.labels.sum(0).min() >= 30
