"""The shipped encoder in the registry: on request, once, under names of its own, loadable again."""

import numpy as np
import pytest

from cgdmer import cli
from cgdmer.encoders import cgdmer_base
from cgdmer.errors import DataError
from cgdmer.publishing import shipped
from cgdmer.sharing import about
from cgdmer.tracking import aliases, registry, server

pytestmark = [pytest.mark.usefixtures("here"), pytest.mark.xdist_group("mlflow")]


def test_it_is_registered_once_and_is_no_candidate(capsys):
    assert cli.main(["publish", "--shipped"]) == 0
    printed = capsys.readouterr().out
    assert "shipped: cgdmer-base-ecg-encoder version 1" in printed
    run, versions = shipped.publish_shipped()
    assert versions == {"cgdmer-base-ecg-encoder": "1", "cgdmer-base-report-encoder": "1"}
    assert run in printed
    assert aliases.alias(registry.ECG, registry.CANDIDATE) is None
    logged, stated = server.connect().get_run(run), about.read(cgdmer_base.FOLDER)
    assert logged.data.metrics["auroc/csn"] == pytest.approx(stated.probes["csn"].mean)
    assert any(name.startswith("real/") for name in logged.data.metrics)
    version = server.connect().get_model_version("cgdmer-base-ecg-encoder", "1")
    assert version.tags["encoder_saw"] == "simulated"
    assert version.description.startswith("# cgdmer-base")
    again = registry.load_encoder(f"models:/cgdmer-base-ecg-encoder@{registry.SHIPPED_ALIAS}")
    signal = np.random.default_rng(0).normal(size=(1, 12, 1000)).astype(np.float32)
    expected = cgdmer_base.open_shipped().encode(signal)
    assert all(np.array_equal(value, expected[name]) for name, value in again.encode(signal).items())


def test_a_package_without_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(cgdmer_base, "FOLDER", tmp_path)
    with pytest.raises(DataError, match="built without the encoder cgdmer-base"):
        shipped.publish_shipped()
