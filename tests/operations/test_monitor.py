"""Monitoring: planted drift is found and named, equal samples raise no alarm, and the history and its page grow."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import boto3
import numpy as np
import pytest
from moto import mock_aws
from support import example_recordings as example

from cgdmer import cli
from cgdmer.commands import scorer
from cgdmer.errors import ConfigError, DataError
from cgdmer.operations import examined, monitor, samples
from cgdmer.recordings import plausibility
from cgdmer.signals import LEADS
from cgdmer.simulator import draw_cases, simulate
from cgdmer.waveforms import Record, record_bytes

DRAWS, INCOMING, REFERENCE = 100, 150, 300


@pytest.fixture(scope="module")
def scores():
    return scorer.load(scorer.choose("cgdmer-base", scorer.ScoreOptions()))


def sample(scores, signals, fs=500.0):
    """Examine and encode signals, int16 microvolt (12, T) each, as those of files are."""
    form, rows, signal, valid = scores.encoder.form, [], [], []
    for one in signals:
        canonical, doubts = plausibility.checked(Record(one / np.float32(1000), fs, LEADS, []), form, form.seconds)
        rows.append(examined.describe(canonical, fs, form.fs, doubts))
        signal.append(canonical.signal)
        valid.append(canonical.valid)
    new, features = samples._encoded(scores, rows, np.stack(signal), np.array(valid))
    return samples.Sample(samples._frame(new), features)


def part(whole, rows):
    return samples.Sample(whole.frame[rows], whole.features[rows])


def drifted(new, reference):
    return [name for name, one in monitor.compared(new, reference, permutations=499).items() if one.is_drift]


def arms_exchanged(signal):
    return np.stack([-signal[0], signal[2], signal[1], signal[4], signal[3], signal[5], *signal[6:]])


@pytest.fixture(scope="module")
def population(scores):
    """Recordings of the clinical population, and their sample."""
    signals = simulate(draw_cases(31, 0, INCOMING + REFERENCE, "clinical"), 31, 0)
    return signals, sample(scores, signals)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_false_alarms_are_as_rare_as_stated_over_100_draws(population):
    _, whole = population
    draw, alarms = np.random.default_rng(5), 0
    for _ in range(DRAWS):
        rows = draw.choice(len(whole.features), INCOMING + REFERENCE, replace=False)
        alarms += bool(drifted(part(whole, rows[:INCOMING]), part(whole, rows[INCOMING:])))
    assert alarms <= 5, (
        f"{alarms} false alarms in {DRAWS} draws"
    )  # 1 expected at a level of 0.01; more than 5 have a probability of 0.0005


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda signal: 1.3 * signal, {"sokolow_lyon_mv", "cornell_mv", "amplitude_mv"}),
        (arms_exchanged, {"qrs_axis", "p_axis", "embedding"}),
        (lambda signal: np.concatenate([signal[:, :2500], 0 * signal[:, 2500:]], 1), {"beats"}),
    ],
    ids=["gain", "arms", "half"],
)
def test_a_planted_change_of_the_device_is_found_and_named(scores, population, change, words):
    signals, whole = population
    new = sample(scores, [np.round(change(one)).astype(np.int16) for one in signals[:INCOMING]])
    assert words & set(drifted(new, part(whole, slice(INCOMING, INCOMING + REFERENCE))))


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_older_population_is_found(scores):
    cases = draw_cases(32, 0, 2000, "clinical")
    old, young = ([case for case in cases if low <= case.age < high] for low, high in ((76, 120), (0, 50)))
    new, reference = simulate(old[:INCOMING], 32, 0), simulate(young[:REFERENCE], 33, 0)
    assert drifted(sample(scores, new), sample(scores, reference))


def write(folder, signals):
    folder.mkdir()
    for number, one in enumerate(signals):
        for name, content in record_bytes(f"r{number}", np.round(one).astype(np.int16), 500.0, LEADS).items():
            (folder / name).write_bytes(content)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of recordings: a reference, others like it, and others with half the gain."""
    top = tmp_path_factory.mktemp("folders")
    signals = simulate(draw_cases(7, 0, 60), 7, 0)
    write(top / "reference", signals[:30])
    write(top / "alike", signals[30:])
    write(top / "faint", signals[30:] / 2.5)
    (top / "alike/broken.edf").write_bytes(b"nothing")
    return top


def ask(folders, source, **more):
    return monitor.Request(str(folders / source), str(example.model()), str(folders / "reference"),
                           reference_records=30, **more)  # fmt: skip


def test_a_history_and_a_page_tell_of_each_comparison(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    quiet, loud = monitor.check(ask(folders, "alike")), monitor.check(ask(folders, "faint"))
    assert (quiet.code, quiet.drifted, quiet.records, quiet.rejected) == (0, [], 30, 1)
    assert loud.code == monitor.DRIFTED
    assert "amplitude_mv" in loud.drifted
    assert "fewer than 50" in str(quiet)
    assert str(loud).startswith("DRIFT in ")
    assert {"alarm", "distance/amplitude_mv", "p_adjusted/embedding"} <= set(loud.metrics())
    history = [json.loads(line) for line in (quiet.page.parent / "history.jsonl").read_text().splitlines()]
    assert [bool(entry["drifted"]) for entry in history] == [False, True]
    page = quiet.page.read_text()
    assert "amplitude_mv" in page
    assert page.count("<tr>") > 30
    assert str(folders) not in page + (quiet.page.parent / "history.jsonl").read_text()


def test_only_what_changed_lately_is_compared(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    with pytest.raises(DataError, match="no recording has arrived whose file changed in the last 1e-09 hours"):
        monitor.check(ask(folders, "alike", hours=1e-9))


@pytest.mark.parametrize("hours", [0.0, -3.0, np.nan, np.inf])
def test_hours_are_a_finite_number_above_0(folders, tmp_path, monkeypatch, hours, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"--hours {hours:g}"):
        monitor.check(ask(folders, "alike", hours=hours))
    with pytest.raises(SystemExit, match="2"):
        cli.main(["monitor", str(folders / "alike"), f"--hours={hours}"])
    assert "--hours: " in capsys.readouterr().err


def test_incoming_recordings_of_which_none_can_be_used_are_an_alarm(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    (tmp_path / "damaged").mkdir()
    for number in range(20):
        (tmp_path / f"damaged/jane_doe{number}.edf").write_bytes(b"nothing")
    outcome = monitor.check(replace(ask(folders, "alike"), source=str(tmp_path / "damaged")))
    assert (outcome.code, outcome.drifted, outcome.records) == (monitor.DRIFTED, ["rejected"], 0)
    assert outcome.metrics() == {"alarm": 1.0, "records": 0, "rejected": 20}
    assert str(outcome).startswith("DRIFT in rejected: none of 20 incoming recordings can be used (20: ")
    (entry,) = map(json.loads, (outcome.page.parent / "history.jsonl").read_text().splitlines())
    assert (entry["drifted"], entry["rejected"]) == (["rejected"], 20)
    assert "No variable was compared" in outcome.page.read_text()
    assert "jane" not in str(outcome) + outcome.page.read_text()


def test_a_source_that_is_no_recording_is_no_alarm(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "cut.zip").write_bytes(b"PK")
    for name in ("notes.txt", "cut.zip"):
        with pytest.raises(DataError, match=f"the source .*{name}: "):
            monitor.check(replace(ask(folders, "alike"), source=str(tmp_path / name)))
    assert not list(tmp_path.rglob("history.jsonl"))


def test_recordings_that_are_too_short_for_the_encoder_are_rejected(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    write(tmp_path / "short", [example.millivolt()[:, :20] * 1000] * 3)
    outcome = monitor.check(replace(ask(folders, "alike"), source=str(tmp_path / "short")))
    assert (outcome.records, outcome.rejected, outcome.drifted) == (0, 3, ["rejected"])


@pytest.mark.parametrize(("count", "rejected"), [(0, 0), (1, 0), (9, 2)])
def test_a_reference_of_few_recordings_is_refused(folders, tmp_path, monkeypatch, count, rejected):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    (tmp_path / "few").mkdir()
    for path in [each for number in range(count) for each in (folders / "reference").glob(f"r{number}.*")]:
        shutil.copy(path, tmp_path / "few")
    for number in range(rejected):
        (tmp_path / f"few/broken{number}.edf").write_bytes(b"nothing")
    words = f"the reference .*few: {count} recordings can be used, {rejected} are rejected\n  allowed: at least 10"
    with pytest.raises(DataError, match=words):
        monitor.check(replace(ask(folders, "alike"), reference=str(tmp_path / "few")))


def test_objects_of_a_bucket_are_new_until_the_history_has_their_comparison(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in {"CGDMER_EXECUTOR": "serial", **example.S3}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    asked = replace(ask(folders, "alike"), source="s3://ecg/in")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="ecg")
        for path in sorted((folders / "alike").glob("r1.*")):
            client.upload_file(str(path), "ecg", f"in/{path.name}")
        with pytest.raises(DataError, match="no training data"):
            monitor.check(replace(asked, reference=None))
        assert monitor.check(asked).records == 1
        with pytest.raises(DataError, match="no recording has arrived"):
            monitor.check(asked)


def test_a_second_monitor_of_the_same_name_waits(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    running, beside = [], []

    def slow(request, history):
        beside.append(running.count(history))
        running.append(history)
        time.sleep(0.3)
        running.remove(history)
        return history.parent.name

    monkeypatch.setattr(monitor, "_check", slow)
    names = ["night", "night", "day"]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda name: monitor.check(ask(folders, "alike", name=name)), names))
    assert done == names
    assert beside == [0, 0, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"records": 0}, "too few"),
        ({"source": "/nowhere"}, "there is no /nowhere"),
        ({"reference": "/nowhere"}, "there is no reference /nowhere"),
        ({"reference": ""}, "there is no reference"),
    ],
)
def test_a_wrong_request_is_named(folders, tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    given = {"source": str(folders / "alike"), "model": str(example.model())} | change
    with pytest.raises(ConfigError, match=words):
        monitor.check(monitor.Request(**given))


def test_without_training_data_a_reference_must_be_named(folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    with pytest.raises(DataError, match="no training data"):
        monitor.check(monitor.Request(str(folders / "alike"), str(example.model()), records=2))


def test_signals_of_a_low_rate_are_compared_without_measurements(scores):
    canonical, doubts = plausibility.checked(Record(example.millivolt(), 500.0, LEADS, []), scores.encoder.form, 5.0)
    assert examined.describe(canonical, 500.0, 100.0, doubts)["heart_rate"] > 50
    assert np.isnan(examined.describe(canonical, 500.0, 50.0, doubts)["heart_rate"])
