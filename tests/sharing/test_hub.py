"""`hf:OWNER/NAME` against a hub on this machine: download, cache, revision, and every way in which it may fail."""

import os

import numpy as np
import pytest
from support import example_recordings, fake_hub, forked

import cgdmer
from cgdmer.commands import export, provenance
from cgdmer.errors import CgdmerError, ConfigError


def answers(*sources):
    """Return name, digest and features of each encoder, or its error."""
    told = []
    for source in sources:
        try:
            encoder = cgdmer.load_encoder(source)
            signal = np.random.default_rng(0).normal(size=(2, 12, round(encoder.fs * encoder.seconds)))
            pooled = encoder.encode(signal.astype(np.float32))["pooled"].astype(float)
            told.append({"name": encoder.name, "digest": encoder.digest, "pooled": pooled.tolist()})
        except CgdmerError as error:
            told.append({"error": type(error).__name__, "problem": error.problem})
    return told


def load(home, endpoint, *sources, **variables):
    return run(answers, home, endpoint, *sources, **variables)


def run(function, home, endpoint, *sources, **variables):
    """Call a function in a process of its own, because the client reads its variables when it is imported."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_HOME": str(home), "HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"} | variables
    return forked.call(function, *sources, environment=environment, fresh="huggingface_hub")


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "encoder"
    export.describe(example_recordings.model(), folder, licence="mit", onnx=False)
    return folder


def test_an_encoder_is_downloaded_once_and_then_read_from_the_cache(shared, tmp_path):
    (shared / "unrelated.bin").write_bytes(b"x" * 100)
    own = cgdmer.load_encoder(example_recordings.model())
    with fake_hub.serve("lab/encoder", shared) as (endpoint, asked):
        first, missing, wrong, other = load(
            tmp_path, endpoint, "hf:lab/encoder@v1", "hf:lab/none", "hf:lab/encoder@v9", "hf:lab"
        )
    signal = np.random.default_rng(0).normal(size=(2, 12, round(own.fs * own.seconds))).astype(np.float32)
    np.testing.assert_allclose(first["pooled"], own.encode(signal)["pooled"], atol=1e-6)
    assert (first["name"], first["digest"]) == ("lab/encoder", own.digest)
    assert not [request for request in asked if "unrelated" in request]
    assert missing == {"error": "DataError", "problem": "the hub has no model lab/none, or it is private"}
    assert (wrong["error"], other["error"]) == ("DataError", "ConfigError")
    [offline, absent] = load(tmp_path, endpoint, "hf:lab/encoder@v1", "hf:lab/other", HF_HUB_OFFLINE="1")
    assert offline == first
    assert (absent["error"], "is not in the cache" in absent["problem"]) == ("Unavailable", True)


def origins(source):
    """Return what is known about the training of an encoder before and after its download."""
    before = provenance.of_model(source)
    cgdmer.load_encoder(source)
    return [before, provenance.of_model(source)]


def test_a_copy_of_an_encoder_that_saw_simulated_recordings_only_says_so(tmp_path):
    export.describe("cgdmer-base", tmp_path / "encoder", licence=None, onnx=False)
    with fake_hub.serve("lab/encoder", tmp_path / "encoder") as (endpoint, _):
        assert run(origins, tmp_path / "home", endpoint, "hf:lab/encoder@v1") == ["unknown", "simulated"]


def test_a_hub_that_is_away_is_unavailable(tmp_path):
    [answer] = load(tmp_path, "http://127.0.0.1:9", "hf:lab/encoder")
    assert answer["error"] == "Unavailable"


def test_a_damaged_download_is_refused(shared, tmp_path):
    (tmp_path / "damaged").mkdir()
    for file in shared.iterdir():
        content = file.read_bytes()
        changed = file.name == "model.safetensors"
        (tmp_path / "damaged" / file.name).write_bytes(content[:-1] + b"\x7f" if changed else content)
    with fake_hub.serve("lab/encoder", tmp_path / "damaged") as (endpoint, _):
        [answer] = load(tmp_path / "home", endpoint, "hf:lab/encoder")
    assert answer["error"] == "DataError"
    assert "differs from its sha256" in answer["problem"]


@pytest.mark.parametrize("source", ["hf:", "hf:name", "hf:a/b/c", "hf:a/b@", "hf:../../etc"])
def test_a_malformed_address_says_what_is_allowed(source):
    with pytest.raises(ConfigError, match="is no address on the hub"):
        cgdmer.load_encoder(source)
