import re
from contextlib import chdir

import pytest
from support.example_source import Example

from cgdmer import validation
from cgdmer.settings import Signal, Validation


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with chdir(tmp_path_factory.mktemp("page")):
        Example(manifest={"fs": 500.0}, quarantine=[("7", "a.hea", "gain <0>")]).write()
        return validation.assess("ptb_xl", Validation(), Signal())


def test_the_page_says_verdict_command_reasons_and_reports(result):
    page = validation.render(result)
    assert "python -m cgdmer check ptb_xl --failed shard_form" in page
    assert "gain &lt;0&gt;" in page
    assert "sinus rhythm number 0 &amp; &lt;normal&gt;" in page
    for entry in result["expectations"]:
        assert entry["name"] in page


def test_the_page_needs_no_network_and_no_script(result):
    page = validation.render(result)
    assert not re.search(r"(src|href)=\"(?!#)", page)
    assert "<script" not in page
    assert "default-src" in page


def test_every_drawing_says_what_it_shows(result):
    page = validation.render(result)
    drawings = re.findall(r"<svg[^>]*>", page)
    assert drawings
    assert all("aria-label=" in drawing or "aria-hidden" in drawing for drawing in drawings)
