"""Published protocols on the page: named, maxima labelled as maxima, absent if only the canonical probe was run."""

import json
import shutil

import pytest
from support.example_report import MATRIX, SOURCE

from cgdmer import paths, settings, stages
from cgdmer.report import compatibility, table
from cgdmer.results import ProbeResult

pytestmark = pytest.mark.xdist_group("report")


def result(protocol, **more):
    interval = {"mean": 0.7, "low": 0.6, "high": 0.8, "n_test": 24}
    figures = interval | {"max_over_test_epochs": 0.81, "seeds": [42]} | more
    content = {
        "task": "ptb_xl_super",
        "protocol": protocol,
        "subset": "published",
        "defects": ["one seed"],
        "results": {"1.0": {"pooled": figures}},
    }
    return ProbeResult.from_json(content)


@pytest.fixture
def probes():
    crossed = {"positional": {"mean": 0.61, "max_over_test_epochs": 0.66}}
    return {"ptb_xl_super": {"cgdmer": result("merl"), "random": result("canonical")},
            "ptb_xl_sub": {"cgdmer": result("merl", **crossed)}}  # fmt: skip


def test_only_published_protocols_are_shown_and_a_maximum_says_that_it_is_one(probes):
    page = compatibility.compatibility_section(probes)
    assert "Protocol merl" in page
    assert "max over test epochs 0.810" in page
    assert "labels by position 0.610" in page
    assert "by position, max over test epochs 0.660" in page
    assert "Random weights" not in page
    assert compatibility.notes(compatibility.of(probes, "merl")) == ["subset: published", "one seed"]
    [head, _, row] = table.grid(*compatibility.tables(probes)).splitlines()
    assert row.startswith("| CG-DMER, pooled features | 100% | 0.700, max over test epochs 0.810 | 0.700, max")
    assert head.endswith("| PTB-XL Super | PTB-XL Sub |")


def test_the_canonical_probe_alone_has_no_such_section_and_no_maximum(run, probes):
    assert compatibility.compatibility_section({"ptb_xl_super": {"random": result("canonical")}}) is None
    for name in ("report.html", "report.md", "metrics.json"):
        text = (run / "reports" / name).read_text()
        assert "test epochs" not in text
        assert "max_over_test" not in text


def test_the_report_of_a_re_run_protocol_shows_it(run, tmp_path, monkeypatch):
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    probe = settings.Probe(protocol="melp", fractions=[1.0], representations=["pooled"], bootstrap=20)
    own = ["cgdmer", "random"]
    matrix = MATRIX.model_copy(update={"controls": own[1:], "probed": own, "robustness": own})
    for encoder in own:
        stages.find("probe")(encoder, SOURCE, probe=probe)
    stages.find("report")(report=settings.Report(), matrix=matrix)
    assert "Protocol melp" in paths.REPORT_HTML.read_text()
    assert "max over test epochs" in paths.REPORT_MD.read_text()
    cell = json.loads(paths.METRICS.read_text())["auroc"]["ptb_xl_super"]["1.0"]["cgdmer"]["pooled"]
    assert (cell["protocol"], cell["seeds"]) == ("melp", 1)
