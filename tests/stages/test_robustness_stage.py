"""The stage robustness on real shards and a real encoder: the same bytes twice, the encoder sees what was disturbed."""

import numpy as np
import pytest
from support import example_report
from support.example_task import TINY_MODEL

from cgdmer import embeddings, paths, settings, stages, tables
from cgdmer.encoders import Setup, load
from cgdmer.errors import DataError
from cgdmer.files import read_json
from cgdmer.stages.robustness import Records, choose, lead_name

CONDITIONS = settings.Robustness(
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
    run("robustness", robustness=CONDITIONS, probe=PROBE, embed=settings.Embed())
    files = paths.robustness("random", TASK), paths.robustness_predictions("random", TASK)
    first = [path.read_bytes() for path in files]
    run("robustness", robustness=CONDITIONS, probe=PROBE, embed=settings.Embed())
    assert [path.read_bytes() for path in files] == first
    result = read_json(files[0])
    assert (result["encoder"], result["representation"], result["protocol"]) == ("random", "pooled", "canonical")
    assert [one["condition"] for one in result["leads"]] == ["12 leads", "2 leads (I, II)"]
    assert [one["condition"] for one in result["disturbances"]] == ["white noise 0.3 mV", "RA and LA exchanged"]
    assert result["leads"][0]["n_test"] == result["n_test"] == 24


def test_fewer_leads_are_encoded_by_name_and_only_the_asked_split_is(project):
    encoder = load("random", Setup(example_report.SIGNAL, TINY_MODEL))
    found = embeddings.read(paths.embeddings("random", example_report.SOURCE))
    records = Records(encoder, example_report.SOURCE, found.ids, 7)

    def nothing(signal, valid, ids):
        return signal

    whole = records.encode("pooled", None, nothing)
    np.testing.assert_allclose(whole, found.features["pooled"], atol=1e-5)
    tested = records.encode("pooled", None, nothing, split="test")
    test = (records.table["split"] == "test").to_numpy()
    np.testing.assert_allclose(tested[test], whole[test], atol=1e-5)
    assert not tested[~test].any()
    signal = records.shards.gather(np.arange(3)).astype(np.float32) / 1000
    two = encoder.encode(signal[:, [1, 0]], leads=["II", "I"])["pooled"]
    given = records.encode("pooled", ["II", "I"], lambda x, valid, ids: choose(x, valid, ids, ["II", "I"]))
    np.testing.assert_allclose(given[:3], two, atol=1e-5)


def test_a_representation_the_encoder_lacks_is_refused(project):
    chosen = CONDITIONS.model_copy(update={"representation": "aligned"})
    with pytest.raises(DataError, match="no representation 'aligned'"):
        run("robustness", robustness=chosen, probe=PROBE, embed=settings.Embed())


def test_features_of_records_that_are_not_sharded_are_refused(project):
    encoder = load("random", Setup(example_report.SIGNAL, TINY_MODEL))
    with pytest.raises(DataError, match="1 embedded records of ptb_xl are not in its shards"):
        Records(encoder, example_report.SOURCE, ["000", "strange"], 7)


def test_lead_sets_have_names():
    assert lead_name(["I", "II", "III", "aVR", "aVL", "aVF"]) == "6 leads (limb)"
    assert lead_name(["I"]) == "1 lead (I)"
