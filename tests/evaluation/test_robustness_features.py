"""Features of embedded records with fewer leads or changed signals: by name, for the chosen split only."""

import numpy as np
import pytest
from support import example_report
from support.example_task import TINY_MODEL

from cgdmer import embeddings, paths, settings, stages, tables
from cgdmer.encoders import Setup, load
from cgdmer.errors import DataError
from cgdmer.evaluation.robustness_features import EmbeddedRecords, lead_set_name, select_leads
from cgdmer.shards import open_shards


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = example_report.index()
    tables.write(frame, paths.index(example_report.SOURCE))
    example_report.write_shards(frame)
    return tmp_path


def opened(ids):
    """Return the random control and its view on the records of these ids."""
    encoder = load("random", Setup(example_report.SIGNAL, TINY_MODEL))
    shards = open_shards(paths.shards(example_report.SOURCE))
    return encoder, EmbeddedRecords(encoder, shards, example_report.SOURCE, ids, 7)


def test_fewer_leads_are_encoded_by_name_and_only_the_asked_split_is(project):
    stages.find("embed")(
        "random", example_report.SOURCE, embed=settings.Embed(), model=TINY_MODEL, signal=example_report.SIGNAL
    )
    cached = embeddings.read(paths.embeddings("random", example_report.SOURCE))
    encoder, records = opened(cached.ids)

    def nothing(signal, valid, ids):
        return signal

    whole = records.encode("pooled", None, nothing)
    np.testing.assert_allclose(whole, cached.features["pooled"], atol=1e-5)
    tested = records.encode("pooled", None, nothing, split="test")
    test = (records.table["split"] == "test").to_numpy()
    np.testing.assert_allclose(tested[test], whole[test], atol=1e-5)
    assert not tested[~test].any()
    signal = records.shards.gather(np.arange(3)).astype(np.float32) / 1000
    two = encoder.encode(signal[:, [1, 0]], leads=["II", "I"])["pooled"]
    given = records.encode("pooled", ["II", "I"], lambda x, valid, ids: select_leads(x, valid, ids, ["II", "I"]))
    np.testing.assert_allclose(given[:3], two, atol=1e-5)


def test_features_of_records_that_are_not_sharded_are_refused(project):
    with pytest.raises(DataError, match="1 embedded records of ptb_xl are not in its shards"):
        opened(["000", "strange"])


def test_lead_sets_have_names():
    assert lead_set_name(["I", "II", "III", "aVR", "aVL", "aVF"]) == "6 leads (limb)"
    assert lead_set_name(["I"]) == "1 lead (I)"
