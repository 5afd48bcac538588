"""`cgdmer package`: a folder with weights, probes, numbers and card, which `load_encoder` and `score` use."""

import json
import shutil

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from huggingface_hub import ModelCard
from support import example_recordings as example
from support import packaged

import cgdmer
from cgdmer import cli, paths, settings, tables
from cgdmer.commands import package
from cgdmer.encoders import Setup, cgdmer_base
from cgdmer.errors import DataError
from cgdmer.files import sha256, write_json
from cgdmer.models import weights
from cgdmer.probing import linear_probe_io
from cgdmer.sharing import about, packaged_card
from cgdmer.sharing.about import About

TASKS = ("ptb_xl_super", "ptb_xl_sub", "ptb_xl_form", "ptb_xl_rhythm", "cpsc2018", "csn")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Package a tiny model once; return the project and the folder."""
    root = tmp_path_factory.mktemp("project")
    packaged.project(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert cli.main(["--quiet", "package", "-o", "base"]) == 0
    return root, root / "base"


@pytest.fixture
def shipped(made, tmp_path, monkeypatch):
    """Let the folder be the one that this package ships, and work in an empty folder with recordings."""
    monkeypatch.setattr(cgdmer_base, "FOLDER", made[1])
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    for number in range(3):
        example.wfdb(tmp_path / "in", f"record {number}", seed=number, seconds=4.0)
    return made[1]


def test_the_folder_is_complete_and_its_numbers_are_those_of_its_probes(made):
    root, folder = made
    stated = about.read(folder)
    assert stated.digest == weights.digest(folder)
    assert (stated.encoder_saw, stated.probes_saw) == ("simulated", "simulated")
    assert set(stated.probes) == set(TASKS)
    assert set(stated.zero_shot) == set(TASKS)
    assert all(0.4 < cell.mean <= 1 for cell in stated.probes.values())
    files = {f"{task}.{kind}.safetensors" for task in TASKS for kind in ("probe", "reference")}
    assert {path.name for path in (folder / "probes").iterdir()} == files
    layer = linear_probe_io.load(folder / "probes/csn.probe.safetensors").layers["pooled"]
    assert {layer.coef.dtype, layer.intercept.dtype} == {np.dtype(np.float32)}
    assert stated.half.bytes == (folder / "weights.safetensors").stat().st_size
    assert stated.half.bytes < 0.6 * (root / "data/models/base/weights.safetensors").stat().st_size
    assert not [path for path in root.iterdir() if path.name.startswith(".base")]


def test_the_card_states_data_results_limits_and_what_it_is_not(made):
    stated, card = about.read(made[1]), ModelCard((made[1] / "README.md").read_text())
    assert {result.dataset_type for result in card.data.eval_results} == set(TASKS)
    assert "not a medical device" in card.text
    assert f"| csn | {stated.probes['csn'].text()} | {stated.zero_shot['csn'].text()} | 20 |" in card.text
    assert "Not measured. `python -m cgdmer external-validation --encoders cgdmer_base`" in card.text
    assert "ptb_xl (60 records" in card.text


def test_real_results_of_these_weights_come_onto_the_card_and_others_do_not(made, monkeypatch, capsys):
    root, folder = made
    monkeypatch.chdir(root)
    shutil.copytree(folder, root / "other")
    cell = {"mean": 0.81, "low": 0.7, "high": 0.9, "per_class": {}}
    gap = {"mean": 0.02, "low": -0.01, "high": 0.05, "share_above": 0.9, "p": 0.2, "detectable": 0.04}
    task = {"records": 40, "patients": 40, "positives": {}, "left_out": {},
            "encoders": {"cgdmer_base": {"pooled": cell}, "handcrafted": {"pooled": cell}},
            "differences": {"handcrafted": gap}}  # fmt: skip
    one = {"title": "LUDB", "version": "1", "licence": "x", "link": "x", "records": 40, "patients": 40, "left_out": {},
           "in_pretraining": False, "tasks": {"rhythm": task}}  # fmt: skip
    result = {"sets": {"ludb": one}, "absent": [], "folds": 5, "bootstrap": 20, "fewest": 5, "encoder": "0" * 16,
              "pretrained_on": [], "versions": {}}  # fmt: skip
    write_json(paths.real(), result)
    assert cli.main(["package", "-o", "other", "--card"]) == 3
    assert "is of the weights 0000000000000000" in capsys.readouterr().err
    write_json(paths.real(), result | {"encoder": sha256(folder / "weights.safetensors")[:16]})
    assert cli.main(["package", "-o", "other", "--card"]) == 0
    text = (root / "other/README.md").read_text()
    assert "| LUDB, rhythm | 0.810 (0.700 to 0.900) | 0.810 (0.700 to 0.900) | 40 |" in text
    assert "| LUDB, rhythm | +0.020 (-0.010 to +0.050) |" in text
    shutil.rmtree(root / "other")


def test_what_disturbances_change_comes_onto_the_card_once_every_task_has_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def result(encoder, change):
        cell = {"mean": 0.8, "low": 0.7, "high": 0.9, "n_test": 9, "per_class": {}}
        moved = {"change": {"mean": change, "low": -0.1, "high": 0.1}}
        still = {"change": {"mean": 0, "low": 0, "high": 0}}
        return {"encoder": encoder, "representation": "pooled", "protocol": "canonical", "seeds": [0], "n_test": 9,
                "leads": [cell | still | {"condition": "12 leads"}, cell | moved | {"condition": "1 lead (I)"}],
                "disturbances": [cell | moved | {"condition": "white noise 0.1 mV"}]}  # fmt: skip

    for number, task in enumerate(tables.TASKS):
        assert package.disturbed(("cgdmer_base", "handcrafted")) == {}
        write_json(paths.robustness("cgdmer_base", task), result("cgdmer_base", -0.01 * number))
    changes = package.disturbed(("cgdmer_base", "handcrafted"))
    assert changes == {name: {"cgdmer_base": -0.03} for name in ("1 lead (I)", "white noise 0.1 mV")}
    for task in tables.TASKS:
        write_json(paths.robustness("handcrafted", task), result("handcrafted", -0.2))
    changes = package.disturbed(("cgdmer_base", "handcrafted"))
    assert changes["1 lead (I)"] == {"cgdmer_base": -0.03, "handcrafted": -0.2}
    stated = About("0", "", "", {}, about.Half(0, 0, 0.0, 1.0), {}, disturbed=changes)
    text = packaged_card._disturbed(stated)
    assert "| Condition | cgdmer_base | handcrafted |" in text
    assert "| white noise 0.1 mV | -0.030 | -0.200 |" in text


def test_the_card_lists_lead_sets_from_the_largest_down_whatever_the_order_of_the_file():
    names = ["1 lead (I)", "12 leads (all)", "2 leads (I, II)", "3 leads lost", "white noise 0.1 mV"]
    stated = About("0", "", "", {}, about.Half(0, 0, 0.0, 1.0), {}, disturbed={name: {"a": 0.0} for name in names})
    rows = [line.split(" | ")[0].removeprefix("| ") for line in packaged_card._disturbed(stated).splitlines()]
    assert rows[-5:] == ["12 leads (all)", "2 leads (I, II)", "1 lead (I)", "3 leads lost", "white noise 0.1 mV"]


def test_without_a_word_the_shipped_encoder_is_loaded(shipped):
    encoder = cgdmer.load_encoder()
    assert (encoder.name, encoder.digest) == ("cgdmer_base", weights.digest(shipped))
    assert next(encoder.model.parameters()).dtype.is_floating_point
    assert {str(parameter.dtype) for parameter in encoder.model.parameters()} == {"torch.float32"}


def test_a_package_that_was_built_without_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cgdmer_base, "FOLDER", tmp_path / "base")
    monkeypatch.chdir(tmp_path)
    example.wfdb(tmp_path / "in", "r0")
    with pytest.raises(DataError, match="built without the encoder cgdmer-base") as caught:
        cgdmer.load_encoder()
    assert "make encoder" in caught.value.fix
    for command in ("embed", "score"):
        assert cli.main([command, "in"]) == 3
        assert "--model FOLDER, or in a clone: make encoder" in capsys.readouterr().err


def test_damage_of_the_shipped_encoder_is_named(shipped, tmp_path, monkeypatch):
    shutil.copytree(shipped, tmp_path / "base")
    (tmp_path / "base/tokenizer.json").write_text("{}")
    monkeypatch.setattr(cgdmer_base, "FOLDER", tmp_path / "base")
    with pytest.raises(DataError, match=r"tokenizer\.json differs") as caught:
        cgdmer.load_encoder()
    assert caught.value.fix == "install cgdmer again"


def test_embed_uses_it_and_says_so(shipped, capsys):
    assert cli.main(["embed", "in"]) == 0
    digest = weights.digest(shipped)
    assert f"3 recordings in embeddings.parquet, encoded by cgdmer_base {digest[:12]}" in capsys.readouterr().out
    meta = json.loads(pq.read_schema("embeddings.parquet").metadata[b"cgdmer"])
    assert (meta["encoder"], meta["encoder_digest"]) == ("cgdmer_base", digest)
    assert meta["fitted_on"] == {"encoder": "simulated", "probes": {}}


def test_the_projects_own_encoder_comes_first_unless_the_shipped_one_is_named(shipped, made, capsys, caplog):
    shutil.copytree(made[0] / "data/models/base", paths.MODEL)
    assert cli.main(["embed", "in"]) == 0
    assert "encoded by cgdmer " in capsys.readouterr().out
    assert "--model cgdmer-base is the one that this package ships" in caplog.text
    assert cli.main(["embed", "in", "--model", "cgdmer-base", "-o", "other.parquet"]) == 0
    assert "encoded by cgdmer_base " in capsys.readouterr().out


def test_score_gives_the_probabilities_of_all_packaged_probes_and_cosines_if_asked(shipped, capsys):
    assert cli.main(["score", "in"]) == 0
    columns = [f"probe/{task}/{name}" for tasks in packaged.CLASSES.values() for task in tasks for name in tasks[task]]
    table = pl.read_parquet("scores.parquet")
    assert table.columns == ["id", "seconds", "missing", "quality", *columns]
    meta = json.loads(pq.read_schema("scores.parquet").metadata[b"cgdmer"])
    assert meta["fitted_on"] == {"encoder": "simulated", "probes": dict.fromkeys(TASKS, "simulated")}
    csn = {"recordings": "held-out test records", "origin": "simulated", "n": {"AFIB": 20, "SR": 20}}
    assert (meta["references"]["csn"], meta["without_reference"]) == (csn, {})
    said = capsys.readouterr().out
    assert said.splitlines()[1].count("(NORM)") <= 1, "a class of several tasks is shown once"
    assert said.splitlines()[0].split() == ["recording", "likeliest", "classes", "probability", "percentile", "quality"]
    assert "percentiles compare with held-out test records (SIMULATED): ptb_xl_super (20), ptb_xl_sub (20)" in said
    assert cli.main(["score", "in", "--classes", "AFIB"]) == 0
    assert pl.read_parquet("scores.parquet").columns == [*table.columns[:4], "zero_shot/AFIB", *columns]
    assert cli.main(["score", "in", "--probe", "csn", "--classes", "AFIB"]) == 0
    assert pl.read_parquet("scores.parquet").columns[4:] == ["zero_shot/AFIB", "probe/csn/AFIB", "probe/csn/SR"]


def test_scores_of_the_test_records_are_made_again_without_training(made, monkeypatch, capsys):
    root, folder = made
    monkeypatch.chdir(root)
    shutil.copytree(folder, root / "old")
    for path in (root / "old/probes").glob("*.reference.safetensors"):
        path.unlink()
    assert cli.main(["--quiet", "package", "-o", "old", "--references"]) == 0
    for name in ("about.json", *(path.relative_to(folder) for path in (folder / "probes").iterdir())):
        assert (root / "old" / name).read_bytes() == (folder / name).read_bytes()
    assert "the percentile of a probability among these test records" in (root / "old/README.md").read_text()
    stated = json.loads((root / "old/about.json").read_text())
    stated["corpora"]["csn"]["digest"] = "0" * 64
    write_json(root / "old/about.json", stated)
    assert cli.main(["--quiet", "package", "-o", "old", "--references"]) == 3
    assert "holds other records than those on which" in capsys.readouterr().err
    shutil.rmtree(root / "old")


def test_without_scores_of_test_records_there_are_no_percentiles_and_score_says_why(shipped, tmp_path, capsys):
    shutil.copytree(shipped, tmp_path / "old")
    for path in (tmp_path / "old/probes").glob("*.reference.safetensors"):
        path.unlink()
    assert cli.main(["score", "in", "--model", "old", "--percentiles"]) == 0
    said = capsys.readouterr().out
    assert "percentile " not in said.splitlines()[0]
    assert f"no percentiles for {', '.join(TASKS)}: the encoder was packaged without the scores" in said
    assert not [name for name in pl.read_parquet("scores.parquet").columns if name.startswith("percentile/")]
    shutil.copy(shipped / "probes/csn.reference.safetensors", "old/probes/cpsc2018.reference.safetensors")
    assert cli.main(["score", "in", "--model", "old"]) == 3
    assert "to fix: python -m cgdmer package --references" in capsys.readouterr().err


def test_the_pipeline_takes_only_the_weights_that_it_pins(shipped, monkeypatch):
    setup = Setup(settings.Signal(), settings.Model())
    with pytest.raises(DataError, match="holds the encoder") as caught:
        cgdmer_base.load(setup)
    assert caught.value.fix == f'set DIGEST = "{weights.digest(shipped)}" in cgdmer/encoders/cgdmer_base.py'
    monkeypatch.setattr(cgdmer_base, "DIGEST", weights.digest(shipped))
    assert cgdmer_base.load(setup).name == "cgdmer_base"


def test_it_is_exported_with_its_own_card(shipped, tmp_path):
    assert cli.main(["export", "-o", "mine"]) == 0, "without a project it is the encoder of the package"
    card = ModelCard((tmp_path / "mine/README.md").read_text())
    assert card.data.license == "mit"
    assert "not a medical device" in card.text
    assert 'cgdmer.load_encoder("hf:OWNER/NAME")' in card.text
    assert "This copy holds no probes" in card.text
    assert "if no other encoder is named" in (shipped / "README.md").read_text()
    signal = np.random.default_rng(0).normal(size=(2, 12, 200)).astype(np.float32)
    own, exported = cgdmer.load_encoder(), cgdmer.load_encoder(tmp_path / "mine")
    np.testing.assert_array_equal(own.encode(signal)["pooled"], exported.encode(signal)["pooled"])


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (lambda root: packaged.source(root, "csn", way="local"), 2, "are simulated and real: probes fitted on them"),
        (lambda root: shutil.rmtree(root / paths.shards("csn")), 3, "dvc repro shards@csn"),
        (lambda root: (root / "data/models/base/weights.safetensors").unlink(), 3, "is no model of this package"),
        (lambda root: (root / "base").mkdir() or (root / "base/mine").touch(), 2, "holds no packaged encoder"),
        (lambda root: write_json(root / "base/about.json", {"mine": 1}), 3, "about.json is damaged"),
    ],
)
def test_what_cannot_be_packaged_is_refused_and_nothing_is_left(change, code, message, tmp_path, monkeypatch, capsys):
    packaged.project(tmp_path)
    monkeypatch.chdir(tmp_path)
    change(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert cli.main(["--quiet", "package", "-o", "base"]) == code
    assert message in capsys.readouterr().err
    assert [path for path in sorted(tmp_path.iterdir()) if path != tmp_path / paths.STATE] == before


def test_files_beside_a_packaged_encoder_and_the_model_itself_are_never_removed(made, tmp_path, monkeypatch, capsys):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base/thesis.txt").write_text("mine")
    assert cli.main(["--quiet", "package", "-o", "base"]) == 2
    assert "or other files" in capsys.readouterr().err
    assert (tmp_path / "base/thesis.txt").read_text() == "mine"
    (tmp_path / "base/thesis.txt").unlink()
    assert cli.main(["--quiet", "package", "base", "-o", "base"]) == 2
    assert "this command reads" in capsys.readouterr().err
    assert (tmp_path / "base/weights.safetensors").is_file()
