"""Prompts with names and hashes, and raw cosine scores."""

import json

import numpy as np
import pytest

from cgdmer import protocol as published
from cgdmer.errors import DataError
from cgdmer.evaluation import zero_shot
from cgdmer.probing.cohort import cohort


@pytest.fixture
def prompts():
    return zero_shot.read_prompts(zero_shot.STATEMENTS, "statements", ensemble=False)


def test_our_prompts_cover_every_class_of_the_published_tasks(protocol, prompts):
    for task in published.TABLES:
        classes = published.class_names(published.split_table(protocol, task))
        assert len(zero_shot.texts_of(prompts, classes)) == len(classes)


def test_the_published_prompts_are_read_as_they_are(protocol):
    ckepe = zero_shot.read_prompts(published.prompts_path(protocol), "ckepe", ensemble=False)
    assert ckepe.facts["sha256"] == published.PUBLISHED[published.PROMPTS]
    assert len(ckepe.texts) == 131


def test_prompts_are_plain_text_with_a_hash(prompts):
    assert len(prompts.texts) == 86
    assert all(len(several) == 1 and several[0].strip() == several[0] for several in prompts.texts.values())
    assert len(prompts.facts["sha256"]) == 64


def test_an_ensemble_is_named_and_averages_unit_vectors(prompts):
    several = zero_shot.read_prompts(zero_shot.STATEMENTS, "statements", ensemble=True)
    assert several.facts["ensemble"] != prompts.facts["ensemble"]
    assert several.texts["AFIB"][0] == prompts.texts["AFIB"][0]
    assert len(set(several.texts["AFIB"])) > 1
    vectors = zero_shot.class_vectors(np.array([[2.0, 0.0], [0.0, 5.0], [3.0, 0.0]]), [2, 1])
    np.testing.assert_allclose(vectors, [[np.sqrt(0.5), np.sqrt(0.5)], [1.0, 0.0]])


def test_a_class_without_a_prompt_is_named(prompts):
    with pytest.raises(DataError, match="no prompt for FOO") as caught:
        zero_shot.texts_of(prompts, ["AFIB", "FOO"])
    assert "zero_shot.prompts" in caught.value.fix


@pytest.mark.parametrize("content", [[], {"prompts": {"A": 1}}, {"A": ""}])
def test_a_file_that_holds_no_prompts_is_refused(tmp_path, content):
    path = tmp_path / "p.json"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="does not hold prompts"):
        zero_shot.read_prompts(path, "p", ensemble=False)


def test_scores_are_cosines_so_length_does_not_matter(index, features, prompts):
    joined = cohort("cpsc2018", index, index["id"].to_list())
    vectors = np.eye(12)[: len(joined.classes)]
    first = zero_shot.evaluate(joined, zero_shot.cosines(joined, features, vectors), prompts, 50)
    second = zero_shot.evaluate(joined, zero_shot.cosines(joined, features * 7, vectors * 3), prompts, 50)
    assert first == second
    assert first["low"] < first["mean"] < first["high"]
    assert first["mean"] > 0.8
    assert set(first["prompts"]["texts"]) == set(joined.classes)
    json.dumps(first, allow_nan=False)


def test_every_prompt_set_that_ships_is_a_file_with_a_description():
    for path in zero_shot.FOLDER.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert set(content) in ({"about", "prompts"}, {"about", "templates"})
        assert len(content["about"]) > 40
