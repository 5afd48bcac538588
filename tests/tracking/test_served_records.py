"""What the served encoder answers to whole requests and single records, and the bound on the size of a request."""

import base64
import io
import json

import numpy as np
import pytest
from starlette.testclient import TestClient
from support import example_recordings
from support.example_recordings import millivolt

from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import CgdmerError, ConfigError
from cgdmer.signals import LEADS, canonical
from cgdmer.tracking import registry, scoring, served_errors, served_records


@pytest.fixture(scope="module")
def encoder():
    return open_folder(example_recordings.model())


def npy(signal):
    stream = io.BytesIO()
    np.save(stream, signal)
    return base64.b64encode(stream.getvalue()).decode()


def in_form(encoder, signal):
    return canonical(signal.astype(np.float32), 500.0, LEADS, encoder.form, encoder.seconds)


def test_records_of_mixed_length_and_kind_are_served_as_if_each_came_alone(encoder):
    whole, short = millivolt(0, 10.0), millivolt(1, 3.0)
    together = served_records.answer(encoder, [whole.tolist(), npy(short), short.tolist(), whole], {"fs": 500.0})
    forms = [in_form(encoder, one) for one in (whole, short, short, whole)]
    expected = encoder.encode(
        np.stack([one.signal for one in forms]).astype(np.float32) / 1000, valid=np.array([one.valid for one in forms])
    )
    assert together["valid"] == [True] * 4
    assert together["quality"] == ["ok"] * 4
    for name in encoder.dims:
        np.testing.assert_allclose(together[name], expected[name], atol=1e-5)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (millivolt() * 1000, "uV stated as mV"),
        (millivolt() / 1000, "V stated as mV"),
        (np.full((12, 5000), 1e9), "without their gain"),
        (millivolt()[:8], "for 12 leads"),
        (millivolt()[:, :20], "20 samples|patch|shorter"),
        ([[0.1] * 5000] * 11 + [[0.1] * 4000], "differ in length"),
        ([["a"] * 5000] * 12, "no number"),
        ("!", "not base64"),
        (base64.b64encode(b"\x93NUMPY nothing").decode(), "array"),
        (None, "for 12 leads"),
        ({"a": 1}, "no number"),
    ],
)
def test_a_bad_record_is_named_with_its_reason_and_the_others_are_served(encoder, bad, reason):
    good = millivolt()
    content = bad.tolist() if isinstance(bad, np.ndarray) else bad
    answer = served_records.answer(encoder, [good.tolist(), content, good.tolist()], {"fs": 500.0})
    assert answer["valid"] == [True, False, True]
    assert any(part in answer["reason"][1] for part in reason.split("|")), answer["reason"]
    assert answer["quality"] == ["ok", "", "ok"]
    assert answer["pooled"][1] is None
    np.testing.assert_array_equal(answer["pooled"][0], answer["pooled"][2])


def test_a_record_of_a_lead_that_gives_no_token_is_named():
    encoder = open_folder(example_recordings.model("independent"))
    for lead, valid in (("aVR", False), ("II", True)):
        row = millivolt()[LEADS.index(lead)].tolist()
        answer = served_records.answer(encoder, [[row]], {"fs": 500.0, "leads": [lead]})
        assert answer["valid"] == [valid]
        assert ("lead aVR alone" in answer["reason"][0]) is not valid


def test_a_canonical_signal_is_served_without_a_rate_and_checked_too(encoder):
    millivolts = in_form(encoder, millivolt(0, 10.0)).signal.astype(np.float32) / 1000
    answer = served_records.answer(encoder, np.stack([millivolts, millivolts * 1000, millivolts + np.nan]), {})
    assert answer["valid"] == [True, False, False]
    np.testing.assert_array_equal(answer["pooled"][0], encoder.encode(millivolts[None])["pooled"][0])
    assert "uV" in answer["reason"][1]
    assert "missing" in answer["reason"][2]
    short = served_records.answer(encoder, [millivolts[:, :150].tolist()], {})
    assert "taken as 3 s at 50 Hz" in short["quality"][0]


@pytest.mark.parametrize(
    ("inputs", "params", "words"),
    [
        (np.zeros((1, 12, 5000)), {}, "without a sampling rate"),
        (np.zeros((1, 12, 1000)), {"fs": -1.0}, "fs = -1"),
        (np.zeros((1, 1, 1000)), {"leads": ["Q"]}, "unknown lead"),
        ([], {}, "no list of records"),
        (5, {}, "no list of records"),
        (np.array(5), {}, "no list of records"),
        ([[]] * (served_records.MAX_RECORDS + 1), {}, "records"),
        ([np.zeros((12, served_records.MAX_VALUES))], {"fs": 500.0}, "numbers"),
    ],
)
def test_what_is_wrong_with_a_whole_request_is_an_error(encoder, inputs, params, words):
    with pytest.raises(CgdmerError, match=words):
        served_records.answer(encoder, inputs, params)


def test_numbers_are_counted_in_every_shape_that_mlflow_hands_over():
    ragged = np.empty(2, object)
    ragged[:] = [[1.0, 2.0], [3.0]]
    sizes = map(served_records._size, ([[1.0, 2.0], [3.0]], ragged, np.zeros((2, 3), object), np.zeros((2, 3)), [], 1))
    assert list(sizes) == [3, 3, 6, 6, 0, 1]


def test_errors_keep_their_sentence_and_say_nothing_of_the_server(caplog):
    with pytest.raises(served_errors.Refusal) as caught, served_errors.refusals():
        raise ConfigError("a problem", allowed="this", fix="that")
    caught.value.message = "Failed to predict data [1 2 3]"
    told = json.loads(caught.value.serialize_as_json())
    assert (told["message"], caught.value.get_http_status_code()) == ("a problem (allowed: this; to fix: that)", 400)
    with pytest.raises(served_errors.Refusal) as caught, served_errors.refusals():
        raise ValueError("/srv/secret/path")
    assert caught.value.get_http_status_code() == 500
    assert "secret" not in caught.value.serialize_as_json()
    assert "secret" in caplog.text


@pytest.mark.xdist_group("mlflow")
@pytest.mark.timeout(600)
def test_the_bounded_server_answers_records_and_refuses_what_is_too_large(project):
    client = TestClient(scoring.application(f"models:/{registry.ECG}/1", 2_000_000))

    def post(body):
        return client.post("/invocations", content=json.dumps(body), headers={"Content-Type": "application/json"})

    served = post({"inputs": [npy(millivolt()), npy(1000 * millivolt())], "params": {"fs": 500.0}})
    assert served.status_code == 200
    assert served.json()["predictions"]["valid"] == [True, False]
    for body, words in (
        ({"inputs": [{"secret": 1}]}, "does not fit the model"),
        ({"inputs": [[[0.5] * 5000] * 12]}, "without a sampling rate"),
        ({"inputs": [[[0.5]]], "params": {"fs": "abc"}}, "'fs'"),
    ):
        refused = post(body)
        assert refused.status_code == 400
        assert words in refused.json()["message"]
        assert not {"stack_trace", "secret"} & set(refused.text.replace('"', " ").split())
    stated = client.post("/invocations", content=b"0" * 2_000_001)
    streamed = client.post("/invocations", content=iter([b"0" * 1_500_000] * 2))
    for refused in (stated, streamed):
        assert refused.status_code == 413
        assert "2,000,000 bytes" in refused.json()["message"]
    with pytest.raises(ConfigError, match="nothing"):
        scoring.application("models:/nothing/1", 1)
    with pytest.raises(ConfigError, match="registry"):
        scoring.application("/a/folder", 1)
