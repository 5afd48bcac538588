"""One rule chooses the representation that stands for an encoder, for the page and for the ablations."""

import pytest

from cgdmer.evaluation import ablation_rows
from cgdmer.probing import representations
from cgdmer.report.headline import choose
from cgdmer.results import ProbeCell, ProbeResult


def result(task, **validation):
    """Return a probe result with all labels, from the runs on validation by representation."""
    cells = {
        kind: ProbeCell(0.5, 0.5, 0.5, seeds=[0, 1], n_test=9, validation=runs) for kind, runs in validation.items()
    }
    return ProbeResult(task, "canonical", {"1.0": cells})


def test_a_task_that_validation_cannot_score_does_not_count():
    """Counted as 0.5 it would leave the order as it is, but pull every score towards chance."""
    scored = result("csn", pooled=[0.8, 0.9], shared=[0.9, None])
    unscored = result("cpsc2018", pooled=[None, None], shared=[None, None])
    validation = {one.task: representations.on_validation(one) for one in (scored, unscored)}
    assert validation["cpsc2018"] == {"1.0": {}}
    assert representations.scores(validation) == pytest.approx({"pooled": 0.85, "shared": 0.9})
    assert ablation_rows.choose(validation) == "shared"
    chosen = choose({one.task: {"cgdmer": one} for one in (scored, unscored)})["cgdmer"]
    assert (chosen.representation, chosen.validation) == ("shared", {"pooled": 0.85, "shared": 0.9})


def test_without_any_scored_task_the_first_representation_stands():
    unscored = result("csn", pooled=[None], shared=[None])
    assert ablation_rows.choose({"csn": representations.on_validation(unscored)}) == "pooled"
    assert choose({"csn": {"cgdmer": unscored}}) == {}
