"""Stage robustness on real shards and a real encoder: the same bytes on every run, whatever the batch."""

import pytest
from support import example_report
from support.example_task import TINY_MODEL

from cgdmer import paths, settings, stages, tables
from cgdmer.errors import DataError
from cgdmer.files import read_json

ROBUSTNESS = settings.Robustness(
    lead_sets=[["I", "II"]],
    disturbances=[settings.Noise(kind="white", mv=0.3), settings.Exchange(kind="exchange", electrodes=["RA", "LA"])],
)
PROBE = settings.Probe(C=[0.01, 1.0], bootstrap=20)
TASK = "ptb_xl_super"


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = example_report.index()
    tables.write(frame, paths.index(example_report.SOURCE))
    example_report.write_shards(frame)
    run("embed", embed=settings.Embed())
    return tmp_path


def run(stage, **sections):
    stages.find(stage)("random", example_report.SOURCE, model=TINY_MODEL, signal=example_report.SIGNAL, **sections)


def test_result_says_what_it_is_and_repeats_to_the_byte_whatever_the_batch(project):
    run("robustness", robustness=ROBUSTNESS, probe=PROBE, embed=settings.Embed())
    files = paths.robustness("random", TASK), paths.robustness_predictions("random", TASK)
    first = [path.read_bytes() for path in files]
    run("robustness", robustness=ROBUSTNESS, probe=PROBE, embed=settings.Embed())
    assert [path.read_bytes() for path in files] == first
    result = read_json(files[0])
    assert (result["encoder"], result["representation"], result["protocol"]) == ("random", "pooled", "canonical")
    assert [one["condition"] for one in result["leads"]] == ["12 leads", "2 leads (I, II)"]
    assert [one["condition"] for one in result["disturbances"]] == ["white noise 0.3 mV", "RA and LA exchanged"]
    assert result["leads"][0]["n_test"] == result["n_test"] == 24


def test_a_representation_the_encoder_lacks_is_refused(project):
    chosen = ROBUSTNESS.model_copy(update={"representation": "aligned"})
    with pytest.raises(DataError, match="no representation 'aligned'"):
        run("robustness", robustness=chosen, probe=PROBE, embed=settings.Embed())
