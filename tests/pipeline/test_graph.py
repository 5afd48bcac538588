"""The graph of the stages as DVC prints it, and which stage is next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgdmer.errors import DataError
from cgdmer.pipeline import graph
from cgdmer.pipeline.graph import Graph

DOT = """strict digraph {
"code";
"acquire@csn";
"pretrain";
"probe@cgdmer-csn";
"code" -> "acquire@csn";
"acquire@csn" -> "pretrain";
"pretrain" -> "probe@cgdmer-csn";
"code" -> "probe@cgdmer-csn";
}
"""


def test_stages_and_what_they_need_are_read_from_what_dvc_prints():
    assert graph.parse(DOT).needs == {
        "code": frozenset(),
        "acquire@csn": {"code"},
        "pretrain": {"acquire@csn"},
        "probe@cgdmer-csn": {"pretrain", "code"},
    }


def test_a_stage_waits_for_all_that_it_needs():
    stages = graph.parse(DOT)
    assert stages.ready({"pretrain", "acquire@csn"}, set()) is None
    assert stages.ready({"pretrain", "acquire@csn"}, {"code"}) == "acquire@csn"
    assert stages.ready(set(), set(stages.needs)) is None


def test_the_longest_chain_goes_first_and_equal_ones_in_the_order_of_the_file():
    needs = {"control": (), "other": (), "pretrain": (), "embed": ("pretrain",), "probe": ("embed", "control")}
    stages = Graph({name: frozenset(needed) for name, needed in needs.items()})
    assert stages.ready(set(needs), set()) == "pretrain"
    assert stages.ready({"control", "other"}, set()) == "control"


@given(st.lists(st.sets(st.integers(0, 20), max_size=4), min_size=1, max_size=15))
def test_every_stage_of_any_graph_has_its_turn_after_those_it_needs(links):
    needs = {str(n): frozenset(str(one) for one in linked if one < n) for n, linked in enumerate(links)}
    stages, waiting, done = Graph(needs), set(needs), []
    while waiting:
        stage = stages.ready(waiting, done)
        assert stage is not None
        assert needs[stage] <= set(done)
        waiting.remove(stage)
        done.append(stage)
    assert sorted(done) == sorted(needs)


def test_a_folder_without_a_pipeline_is_an_error_with_the_reason_of_dvc(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="not inside of a DVC repository"):
        graph.read(graph.dvc())
