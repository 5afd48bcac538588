"""What cannot be an ECG in its stated unit is refused with the likely unit; what is doubtful is named."""

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

import cgdmer
from cgdmer import cli
from cgdmer.errors import ConfigError, RecordError
from cgdmer.recordings import ArrayMetadata, find_recordings, plausibility, read, read_file
from cgdmer.recordings.plausibility import checked
from cgdmer.settings import Signal
from cgdmer.signals import LEADS
from cgdmer.waveforms import Record

FORM = Signal()


def record(change=lambda signal: signal, seconds=10.0) -> Record:
    signal = change(example.millivolt(1, seconds)).astype(np.float32)
    return Record(np.ascontiguousarray(signal), 500.0, LEADS, [])


def doubts(change) -> str:
    return plausibility.text(checked(record(change), FORM, 10.0)[1])


@pytest.mark.parametrize(
    ("factor", "likely"),
    [
        (1e3, "uV stated as mV, or mV stated as V"),
        (1e6, "uV stated as V"),
        (60.0, "raw values of the converter"),
        (1e12, "at most 1e"),
        (1e-3, "V stated as mV, or mV stated as uV"),
    ],
)
def test_a_wrong_unit_is_refused_with_the_likely_one(factor, likely):
    with pytest.raises(RecordError) as error:
        doubts(lambda signal: signal * factor)
    assert likely in str(error.value)


def flat(signal):
    signal[8] = 0.0
    return signal


def clipped(signal):
    return np.clip(signal, -10, 0.3)


def noise(signal):
    return np.random.default_rng(0).normal(size=signal.shape) * 0.3


def disagreeing(signal):
    signal[2] += 0.5 * np.sin(np.arange(signal.shape[1]) / 40)
    return signal


def gap(signal):
    signal[7, 1000:1010] = np.nan
    return signal


def equal(signal):
    signal[9] = signal[10]
    return signal


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda signal: signal, "ok"),
        (flat, "flat V3"),
        (clipped, "clipped"),
        (noise, "no heart beats"),
        (lambda signal: np.sin(np.arange(signal.shape[1]) / 30) * np.ones((12, 1)), "no heart beats"),
        (disagreeing, "limb leads contradict each other"),
        (gap, "10 samples interpolated"),
        (equal, "2 leads are identical"),
        (lambda signal: signal * 10, "amplitude"),
        (lambda signal: signal * 0.05, "amplitude"),
    ],
)
def test_a_doubt_is_named(change, named):
    assert doubts(change).startswith(named) or named in doubts(change)


@pytest.mark.parametrize("fs", [0.01, 1e-300, 49.0, 20_000.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(fs):
    with pytest.raises(RecordError, match="sampling rate"):
        checked(Record(record().signal, fs, LEADS, []), FORM, 10.0)


def test_the_part_that_is_used_may_begin_later():
    late, _ = checked(record(), FORM, 4.0, start=5.0)
    cut = record()
    alone, _ = checked(Record(cut.signal[:, 2500:], 500.0, LEADS, []), FORM, 4.0)
    assert np.array_equal(late.signal, alone.signal)
    with pytest.raises(RecordError, match="at least 1 s"):
        checked(record(), FORM, 4.0, start=9.5)


def test_embed_refuses_and_names_in_a_column(tmp_path, monkeypatch):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    for name, values in {
        "uv": example.millivolt() * 1000,
        "fine": example.millivolt(),
        "odd": flat(example.millivolt()),
    }.items():
        np.save(tmp_path / f"{name}.npy", values)
    words = ["--fs", "500", "--unit", "mV", "--leads", ",".join(LEADS), "--model", str(example.model())]
    assert cli.main(["--quiet", "embed", "fine.npy", "odd.npy", "uv.npy", *words]) == 6
    assert pl.read_parquet("embeddings.parquet")["quality"].to_list() == ["ok", "flat V3"]
    assert "uV stated as mV" in (tmp_path / "embeddings.rejects.csv").read_text()
    assert cli.main(["plot", "uv.npy", *words[:6]]) == 3
    assert cli.main(["plot", "odd.npy", *words[:6]]) == 0
    assert "doubtful: flat V3" in (tmp_path / "odd.svg").read_text()


def test_the_api_refuses_and_names(tmp_path):
    stated = {"fs": 500.0, "unit": "mV", "leads": LEADS}
    np.save(tmp_path / "uv.npy", example.millivolt() * 1000)
    np.save(tmp_path / "flat.npy", flat(example.millivolt()))
    encoder = cgdmer.load_encoder(example.model())
    for given in (None, encoder):
        with pytest.raises(RecordError, match="uV stated as mV"):
            cgdmer.read_record(tmp_path / "uv.npy", given, **stated)
        assert cgdmer.read_record(tmp_path / "flat.npy", given, **stated).doubts == ("flat V3",)
    with pytest.raises(ConfigError, match="probably uV"):
        encoder.encode(np.full((1, 12, 200), 900.0, np.float32))


def test_a_short_or_dead_recording_can_be_drawn_and_is_doubtful(tmp_path):
    np.save(tmp_path / "dead.npy", np.zeros((12, 2000)))
    stated = ArrayMetadata(500.0, "mV", LEADS)
    assert read_file(tmp_path / "dead.npy", metadata=stated).doubts == ("12 flat leads, at most 6 are allowed",)


@pytest.mark.parametrize("leads", [("II",), LEADS[:6]])
@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_a_recording_whose_few_leads_are_all_flat_is_refused(leads, offset, tmp_path):
    dead = Record(np.full((len(leads), 2000), offset, np.float32), 500.0, leads, [])
    with pytest.raises(RecordError, match="every recorded lead is flat"):
        checked(dead, FORM, 10.0)
    np.save(tmp_path / "dead.npy", dead.signal)
    drawn = read_file(tmp_path / "dead.npy", metadata=ArrayMetadata(500.0, "mV", leads))
    assert drawn.doubts == ("every recorded lead is flat",)


@pytest.mark.real
def test_few_real_recordings_are_refused_or_doubtful(real):
    shares = {}
    for name in ("ptbxl_extra", "cpsc2018"):
        paths = list(find_recordings([str(real / name)], ArrayMetadata()))[:80]
        named = [checked(read(path, ArrayMetadata()), FORM, 10.0)[1] for path in paths]
        shares[name] = sum(map(bool, named)) / len(named)
    assert max(shares.values()) < 0.1
