"""A recording of III, aVR, aVL or aVF alone gives an encoder of the independent leads no token: it is refused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from support import example_recordings as example

import cgdmer
from cgdmer import cli
from cgdmer.encoders.usable_leads import refusal
from cgdmer.errors import RecordError
from cgdmer.signals.leads import LEADS

LONE = ("III", "aVR", "aVL", "aVF")


def encoder(leads: str):
    return cgdmer.load_encoder(example.model(leads))


def recorded(*leads: str) -> np.ndarray:
    """Return beats (12, T) in the leads that were recorded, and zeros in the others."""
    absent = [lead not in leads for lead in LEADS]
    return np.where(np.array(absent)[:, None], 0, example.millivolt()[:, :200])


def array(path: Path, *leads: str) -> dict[str, object]:
    """Save an array of some leads and return what `read_record` has to be told of it."""
    np.save(path, example.millivolt()[[LEADS.index(lead) for lead in leads]])
    return {"fs": example.FS, "unit": "mV", "leads": list(leads)}


@pytest.mark.parametrize("leads", [("I",), ("II",), ("V3",), ("III", "aVR"), ("aVF", "V1"), LEADS])
def test_leads_that_give_a_token_are_used(leads):
    assert refusal(encoder("independent"), recorded(*leads)) is None


@pytest.mark.parametrize("lead", LONE)
def test_one_of_the_other_limb_leads_is_refused_unless_it_is_a_token_itself(lead):
    error = refusal(encoder("independent"), recorded(lead))
    assert error is not None
    assert str(error).startswith(f"lead {lead} alone")
    assert refusal(encoder("all"), recorded(lead)) is None


def test_a_recording_of_zeros_is_refused():
    assert "no lead holds a signal" in str(refusal(encoder("all"), recorded()))


def test_read_record_refuses_it_for_the_encoder_alone(tmp_path):
    stated = array(tmp_path / "one.npy", "aVR")
    assert cgdmer.read_record(tmp_path / "one.npy", **stated).leads == ("aVR",)
    with pytest.raises(RecordError, match="lead aVR alone"):
        cgdmer.read_record(tmp_path / "one.npy", encoder("independent"), **stated)


def test_the_commands_list_it_and_measure_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    monkeypatch.chdir(tmp_path)
    own = ["--model", str(example.model("independent"))]
    stated = ["--fs", "500", "--unit", "mV", "--leads"]
    array(tmp_path / "aVR.npy", "aVR")
    array(tmp_path / "II.npy", "II")
    assert cli.main(["--quiet", "embed", "aVR.npy", *stated, "aVR", *own]) == 3
    assert "lead aVR alone" in capsys.readouterr().err
    assert cli.main(["--quiet", "embed", "II.npy", *stated, "II", *own]) == 0
    assert pl.read_parquet("embeddings.parquet").height == 1
    assert cli.main(["--quiet", "similar", "aVR.npy", "--in", "embeddings.parquet", *stated, "aVR", *own]) == 3
    assert cli.main(["--quiet", "measure", "aVR.npy", *stated, "aVR"]) == 0
