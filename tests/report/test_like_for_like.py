"""A published number stands beside ours only with the same encoder, protocol, split, records and score."""

from dataclasses import replace

import pytest

from cgdmer import tables
from cgdmer.report import like_for_like, published, table
from cgdmer.report.like_for_like import METHODS, OWN, pairs, pairs_table
from cgdmer.results import Positional, ProbeCell, ProbeResult

WHOLE = {"ptb_xl": True, "csn": True, "cpsc2018": True}


def result(task, protocol, **more):
    cell = ProbeCell(0.7, 0.6, 0.8, seeds=[42], n_test=9, max_over_test_epochs=0.72)
    made = ProbeResult(task, protocol, {"0.01": {"pooled": cell}}, split="published", subset="published")
    return replace(made, **more)


def found(task, encoder, made, whole=WHOLE):
    return list(pairs({task: {encoder: made}}, whole))


def test_the_same_everything_is_a_pair_with_the_score_that_the_code_prints():
    [pair] = found("ptb_xl_super", "merl_resnet18", result("ptb_xl_super", "merl"))
    rows = published.rows().filter(method="MERL (ResNet18)", task="ptb_xl_super", fraction="0.01", kind="linear probe")
    assert pair.published == rows["auroc"].item()
    assert (pair.measured, pair.score) == (0.72, "max over test epochs")
    [pair] = found("csn", "melp", result("csn", "melp"))
    assert (pair.measured, pair.score) == (0.7, "best validation epoch")


def test_sub_is_compared_with_labels_read_by_position():
    made = result("ptb_xl_sub", "merl")
    cell = replace(made.results["0.01"]["pooled"], positional=Positional(0.61, 0.63))
    [pair] = found("ptb_xl_sub", "merl_resnet18", replace(made, results={"0.01": {"pooled": cell}}))
    assert (pair.measured, pair.score) == (0.63, "max over test epochs, labels by position")


@pytest.mark.parametrize(
    ("encoder", "made", "whole"),
    [
        ("merl_resnet18", result("csn", "canonical"), WHOLE),
        ("merl_resnet18", result("csn", "melp"), WHOLE),
        ("melp", result("csn", "merl"), WHOLE),
        ("merl_vit_tiny", result("csn", "merl"), WHOLE),
        ("cgdmer", result("csn", "merl"), WHOLE),
        ("merl_resnet18", result("csn", "merl", split="hash"), WHOLE),
        ("merl_resnet18", result("csn", "merl", subset="same draw from this corpus, not the published records"), WHOLE),
        ("merl_resnet18", result("csn", "merl"), {"csn": False}),
        ("merl_resnet18", result("csn", "merl"), {}),
    ],
)
def test_anything_else_is_no_pair(encoder, made, whole):
    assert found("csn", encoder, made, whole) == []


def test_every_named_method_is_in_the_published_table_with_its_protocol():
    rows = published.rows().filter(kind="linear probe")
    for encoder, method in METHODS.items():
        protocols = set(rows.filter(method=method)["protocol"])
        assert protocols, method
        assert all(text.startswith(f"{OWN[encoder]}:") for text in protocols)
        assert set(rows.filter(method=method)["task"]) <= set(tables.TASKS)


def test_the_table_says_which_score_and_whether_the_number_is_second_hand():
    made = pairs_table(found("csn", "melp", result("csn", "melp")))
    line = table.grid(made).splitlines()[-1]
    assert line.startswith("| MELP | CSN | 1% | 0.700, best validation epoch |")
    assert "second-hand" in line
    assert pairs_table([]) is None
    assert like_for_like.pairs_table(list(pairs({}, WHOLE))) is None
