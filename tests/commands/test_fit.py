"""`cgdmer fit` and what `cgdmer score` does with its probe, through the command line on small recordings."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

import cgdmer
from cgdmer import cli
from cgdmer.encoders.handcrafted import NAMES, Handcrafted
from cgdmer.probing import label_probe_io
from cgdmer.probing.solver import sigmoid
from cgdmer.signals import LEADS

N = 44
"""Two recordings of each of 22 patients; every second patient has tall waves."""
ARRAYS = ["--fs", str(example.FS), "--unit", "mV", "--leads", ",".join(LEADS)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with recordings, a table of labels and a fitted probe."""
    folder = tmp_path_factory.mktemp("fit")
    (folder / "in").mkdir()
    lines = ["recording,patient,tall,rare"]
    for number in range(N):
        patient = number // 2
        tall = patient % 2
        scale = (1.6 if tall else 1.0) * (1 + 0.1 * (number % 3))
        np.save(folder / "in" / f"r{number:02}.npy", example.millivolt(number) * scale)
        lines.append(f"r{number:02},p{patient},{tall},{int(number < 3)}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(autouse=True)
def here(made, tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def fit(*words, labels="labels.csv"):
    return cli.main(["--quiet", "fit", labels, "in", *ARRAYS, "--model", str(example.model()), *words])


def score(*words, model=None):
    return cli.main(["--quiet", "score", "in", *ARRAYS, "--model", str(model or example.model()), *words])


def signal(name, encoder):
    return cgdmer.read_record(f"in/{name}.npy", encoder, fs=example.FS, unit="mV", leads=LEADS).signal[None]


@pytest.fixture
def fitted(here, made):
    """The probe of the label `tall`, fitted once for all tests."""
    kept = made.with_name(f"{made.name}-kept") / "my.probe"
    if not kept.exists():
        assert fit("--labels", "tall", "-o", str(kept)) == 0
    shutil.copytree(kept, "my.probe")
    return label_probe_io.load(Path("my.probe"))


def test_a_fitted_probe_gives_score_calibrated_probabilities(fitted, capsys):
    assert score("--probe", "my.probe", "-o", "out.parquet") == 0
    table = pl.read_parquet("out.parquet")
    assert table.columns == ["id", "seconds", "missing", "quality", "probe/my/tall"]
    tall = np.array([number // 2 % 2 for number in range(N)])
    given = table["probe/my/tall"].to_numpy()
    assert given[tall == 1].mean() > given[tall == 0].mean() + 0.2
    encoder = cgdmer.load_encoder(example.model())
    pooled = encoder.encode(signal("r07", encoder))["pooled"]
    assert given[7] == pytest.approx(sigmoid(fitted.logits({"pooled": pooled}))[0, 0], abs=1e-5)
    said = capsys.readouterr().out
    assert "my: calibrated by `cgdmer fit` on 44 recordings (22 patients), pooled features" in said
    assert "tall: 22 of 44 have it (50.0 %), AUROC" in said


def test_percentiles_compare_with_the_out_of_fold_scores_also_at_another_prevalence(fitted, capsys):
    assert score("--probe", "my.probe", "-o", "out.csv", "--percentiles") == 0
    said = capsys.readouterr().out
    assert "percentiles compare with recordings of `cgdmer fit`, scored out of fold (your own): my (44)" in said
    table = pl.read_csv("out.csv")
    assert table.columns[4:] == ["probe/my/tall", "percentile/my/tall"]
    order = table.sort("probe/my/tall")["percentile/my/tall"].to_numpy()
    assert (np.diff(order) >= 0).all()
    assert order[-1] > 75 > 25 > order[0]
    assert score("--probe", "my.probe", "-o", "b.csv", "--percentiles", "--recalibrate", "0.1") == 0
    again = pl.read_csv("b.csv")["percentile/my/tall"].to_numpy()
    np.testing.assert_allclose(again, table["percentile/my/tall"].to_numpy(), atol=1.2)
    about = json.loads(Path("b.csv.cgdmer.json").read_text())["references"]["my"]
    assert (about["origin"], about["n"]) == ("your own", {"tall": N})


def test_a_probe_of_an_earlier_version_has_no_percentiles_and_is_not_refused(fitted, capsys):
    label_probe_io.save(Path("old.probe"), fitted.card, fitted.layer, "")
    assert score("--probe", "old.probe", "-o", "out.parquet", "--percentiles") == 0
    said = capsys.readouterr().out
    assert "no percentiles for old: it was fitted before the out-of-fold scores were kept; fit it again" in said
    assert pl.read_parquet("out.parquet").columns[4:] == ["probe/old/tall"]
    Path("my.probe/layer.reference.safetensors").write_bytes(b"x")
    assert score("--probe", "my.probe") == 3
    assert "layer.reference.safetensors was changed" in capsys.readouterr().err


@pytest.mark.parametrize("features", ["measurements", "both"])
def test_measurements_are_made_again_by_score(features):
    assert fit("--labels", "tall", "--features", features, "-o", "m.probe") == 0
    assert score("--probe", "m.probe", "-o", "out.parquet") == 0
    probe, encoder = label_probe_io.load(Path("m.probe")), cgdmer.load_encoder(example.model())
    made = encoder.encode(signal("r03", encoder))
    made["measurements"] = Handcrafted(encoder.form).encode(signal("r03", encoder))["pooled"]
    expected = sigmoid(probe.logits(made))[0, 0]
    assert pl.read_parquet("out.parquet")["probe/m/tall"][3] == pytest.approx(expected, abs=1e-3)
    assert bool(probe.card.encoder_digest) == (features == "both")


def test_what_is_not_used_is_counted_and_named_and_the_exit_code_says_so(capsys):
    lines = Path("labels.csv").read_text().splitlines()
    Path("in/broken.npy").write_bytes(b"no array")
    Path("in/labels.csv").write_text("\n".join([*lines[:-2], "ghost,,1,0", "broken,,1,0", "r42,,1,0"]) + "\n")
    assert fit(labels="in/labels.csv") == 6
    said = capsys.readouterr().out
    assert "rows that name no recording: 1 (ghost)" in said
    assert "recordings without a row, not read: 1 (in/r43.npy)" in said
    assert "recordings that could not be used: 1 (see my.rejects.csv)" in said
    assert "left out: rare: 2 patients with a yes" in said
    assert "counts as a patient of its own: 3" in said
    assert pl.read_csv("my.rejects.csv")["path"].to_list() == ["in/broken.npy"]
    card = json.loads(Path("my.probe/card.json").read_text())
    assert (card["recordings"], card["left_out"].keys()) == (43, {"rare"})


def test_unknown_labels_are_left_out_for_that_label_and_patients_may_be_missing(capsys):
    lines = Path("labels.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    text = ["recording,a,b", *(f"{row[0]},{row[2] if number else ''},{row[2]}" for number, row in enumerate(rows))]
    Path("labels.csv").write_text("\n".join(text))
    assert fit() == 0
    card = label_probe_io.load(Path("my.probe")).card
    assert [card.labels[name].recordings for name in "ab"] == [43, 44]
    assert (card.patients, card.patients_named) == (44, False)
    assert "No column 'patient'" in capsys.readouterr().out


def test_nothing_is_overwritten_without_being_asked_and_the_same_input_gives_the_same_bytes(fitted, capsys):
    before = {path.name: path.read_bytes() for path in Path("my.probe").iterdir()}
    assert set(before) == {"card.json", "README.md", "layer.probe.safetensors", "layer.reference.safetensors"}
    assert fit("--labels", "tall") == 2
    assert "exists already" in capsys.readouterr().err
    assert fit("--labels", "tall", "--overwrite") == 0
    assert {path.name: path.read_bytes() for path in Path("my.probe").iterdir()} == before
    Path("my.probe/mine.txt").write_text("mine")
    assert fit("--labels", "tall", "--overwrite") == 2
    assert Path("my.probe/mine.txt").read_text() == "mine"
    assert not [name for name in os.listdir() if name.startswith(".")]


def test_a_failed_replacement_puts_the_earlier_probe_back(fitted, monkeypatch):
    before = Path("my.probe/card.json").read_bytes()
    monkeypatch.setattr(label_probe_io, "write_json", lambda *_: (_ for _ in ()).throw(RuntimeError("full")))
    with pytest.raises(RuntimeError):
        label_probe_io.save(Path("my.probe"), fitted.card, fitted.layer, "")
    assert Path("my.probe/card.json").read_bytes() == before
    assert not [name for name in os.listdir() if name.startswith(".")]


def test_a_known_prevalence_shifts_the_odds(fitted, capsys):
    assert score("--probe", "my.probe", "-o", "a.parquet") == 0
    assert score("--probe", "my.probe", "--recalibrate", "tall=0.1", "-o", "b.parquet") == 0
    assert "shifted to a prevalence of 10 %" in capsys.readouterr().out
    assert score("--probe", "my.probe", "--recalibrate", "0.1", "-o", "c.parquet") == 0
    plain, shifted, same = (
        pl.read_parquet(f"{name}.parquet")["probe/my/tall"].to_numpy().astype(float) for name in "abc"
    )
    prevalence = fitted.card.labels["tall"].prevalence
    ratio = plain / (1 - plain) * (1 - prevalence) / prevalence  # the likelihood ratio of each recording
    np.testing.assert_allclose(shifted, ratio * 0.1 / (ratio * 0.1 + 0.9), rtol=1e-4)
    np.testing.assert_array_equal(shifted, same)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--probe", "my.probe", "--recalibrate", "tal=0.1"], 2, "did you mean 'tall'"),
        (["--probe", "my.probe", "--recalibrate", "tall=1"], 2, "above 0 and below 1"),
        (["--probe", "my.probe", "--recalibrate", "tall=x"], 2, "above 0 and below 1"),
        (["--probe", "my.probe", "--recalibrate", "0.1", "--recalibrate", "tall=0.2"], 2, "stated twice"),
        (["--recalibrate", "0.1"], 2, "a probe of `cgdmer fit`"),
        (["--probe", "my.probe", "--representation", "shared"], 2, "the probe knows its own"),
        (["--probe", "other.probe"], 3, "is no probe of one's own labels"),
        (["--probe", "my.probe", "-o", "my.probe/card.csv", "--probe", "x/my.probe"], 3, "is no probe"),
    ],
)
def test_wrong_options_of_score_are_explained(fitted, words, code, message, capsys):
    assert score(*words) == code
    assert message in capsys.readouterr().err


def test_a_probe_of_another_encoder_or_another_form_is_refused(fitted, capsys):
    assert score("--probe", "my.probe", model="cgdmer-base") == 3
    assert "is fitted for encoder cgdmer" in capsys.readouterr().err
    assert fit("--labels", "tall", "--features", "measurements", "-o", "m.probe") == 0
    assert score("--probe", "m.probe", model="cgdmer-base") == 3
    assert "another sampling rate, length or filter" in capsys.readouterr().err


def test_other_seconds_are_a_warning_and_the_metadata_say_what_was_done(fitted, caplog):
    assert score("--probe", "my.probe", "--seconds", "2", "--recalibrate", "0.25", "-o", "out.csv") == 0
    assert "fitted on 4 seconds from second 0, and 2 seconds" in caplog.text
    (about,) = json.loads(Path("out.csv.cgdmer.json").read_text())["probes"]
    assert about["prevalence"] == {"tall": 0.5}
    assert about["recalibrated"] == {"tall": 0.25}


def test_a_damaged_probe_is_named(fitted, capsys):
    layer = Path("my.probe/layer.probe.safetensors")
    content = layer.read_bytes()
    layer.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert score("--probe", "my.probe") == 3
    assert "layer.probe.safetensors was changed" in capsys.readouterr().err
    layer.unlink()
    os.mkfifo(layer)
    assert score("--probe", "my.probe") == 3
    card = Path("my.probe/card.json")
    card.write_text(card.read_text().replace('"prevalence": 0.5', '"prevalence": 0.1'))
    assert score("--probe", "my.probe") == 3
    assert "does not match its own digest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["-o", "my"], 2, "a folder *.probe"),
        (["-o", "in"], 2, "a folder *.probe"),
        (["--features", "measurements", "--representation", "shared"], 2, "is of no use"),
        (["--representation", "poled"], 2, "did you mean 'pooled'"),
        (["--representation", ""], 2, "the encoder has none of that name"),
        (["--labels", "tal"], 2, "did you mean 'tall'"),
        (["--labels", "rare"], 3, "no label can be fitted: rare: 2 patients with a yes"),
        (["--start", "-1"], 2, "seconds from 0"),
        (["--seconds", "11"], 2, "the encoder's length"),
    ],
)
def test_wrong_options_of_fit_are_explained(words, code, message, capsys):
    assert fit(*words) == code
    assert message in capsys.readouterr().err
    assert not os.path.exists("my.probe")


def test_the_rows_without_a_recording_are_named_if_no_label_can_be_fitted(capsys):
    lines = Path("labels.csv").read_text().splitlines()
    lines[12:] = [line.replace("r", "00", 1) for line in lines[12:]]
    Path("labels.csv").write_text("\n".join(lines) + "\n")
    assert fit("--labels", "tall") == 3
    said = capsys.readouterr().err
    assert "; 33 of 44 rows name no recording (0011, 0012, 0013 and 30 more)" in said
    assert "correct these names in the table" in said


def test_a_table_that_is_missing_or_wrong_stops_before_anything_is_read(capsys):
    Path("strange.csv").write_text("recording,patient,tall\nx,y,1\n")
    assert fit(labels="strange.csv") == 3
    assert "no row of strange.csv names a recording: its first row is 'x'" in capsys.readouterr().err
    assert fit(labels="gone.csv") == 3
    assert "gone.csv cannot be read" in capsys.readouterr().err
    Path("in/r00.csv").write_text("recording,tall\nr00,1\nr00,1\n")
    assert fit(labels="in/r00.csv") == 3
    assert "two rows are of the recording" in capsys.readouterr().err
    assert os.listdir("in").count("r00.npy") == 1


def test_measurements_of_the_stated_version_are_as_they_were():
    """A failure means that the hand-crafted features changed: raise MEASUREMENTS_VERSION, then these numbers."""
    encoder = cgdmer.load_encoder(example.model())
    made = Handcrafted(encoder.form).encode(signal("r00", encoder))["pooled"][0]
    assert label_probe_io.MEASUREMENTS_VERSION == 2
    assert len(made) == 297
    told = {
        "heart_rate": 70.175, "qrs_ms": 120.0, "qt_ms": 480.0, "cosine_qrs_axis": 0.96512, "r_V5_mv": 1.381,
        "st_V2_mv": -0.00025, "no_p_ms": 1.0, "beats_rr_sd_s": 0.0086603, "peaks_rr_sd_s": 0.0086603,
        "qrs_max_mv_II": 0.38033, "t_area_mvs_V3": -0.00019, "steep_s": 0.12, "log_power_8_15_hz_aVF": -4.3192,
        "log_variance_V6": -3.9341,
    }  # fmt: skip
    found = dict(zip(NAMES, made.tolist(), strict=True))
    assert {name: found[name] for name in told} == pytest.approx(told, rel=1e-3)
