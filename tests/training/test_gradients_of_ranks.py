"""The gradient of a step is that of its whole batch, however ranks and micro-batches divide it."""

import math
import os

import pytest
import torch
from support import example_pool as example
from support.forked import fork_processes

from cgdmer import distributed, objectives, settings
from cgdmer.distributed import World
from cgdmer.models import weights
from cgdmer.training.engine import Engine
from cgdmer.training.records import MicroBatch

pytestmark = pytest.mark.xdist_group("gradients_of_ranks")

RECORDS = 14
TERMS = {
    "cross_covariance": {"orthogonality_kind": "cross_covariance", "cross_reconstruction": 0.3},
    "hsic": {"orthogonality_kind": "hsic", "unique_reports": False},
}
"""Options of the objective; each compares records by the sigmoid loss too."""
DIVISIONS = {"ranks": [(8, 6)], "ranks and micro-batches": [(4, 3), (2, 3), (1, 1)]}
"""Records of both ranks in each micro-batch."""


def gradient(terms, sizes, world):
    """Return loss and gradient of a step on the example batch; `sizes` counts a micro-batch's records by rank."""
    objective = settings.Objective(**terms)
    _, reports, _ = example.signals(20)
    model = weights.create(example.MODEL, settings.Masking(), objective, example.SIGNAL, reports, 0)
    one = Engine(example.awake(objectives.Objective(model, objective)), settings.Train(), world)
    one._update = lambda totals, rate: totals
    batch = example.batch(model, RECORDS, short=(2, 9))
    micro_batches, begin = [], 0
    for by_rank in sizes:
        mine = begin + sum(by_rank[: world.rank])
        rows = slice(mine, mine + by_rank[world.rank])
        part = {name: value if name == "full" else value[rows] for name, value in batch.items()}
        micro_batches.append(MicroBatch(part, by_rank, sum(by_rank) / RECORDS))
        begin += sum(by_rank)
    loss = one.step(3, micro_batches, 0.0)["loss"]
    return loss, torch.cat([parameter.grad.flatten() for parameter in one.task.parameters()])


def write_gradients(folder):
    """Write loss and gradient of this rank for all terms and divisions; runs in a process of its own."""
    os.environ["CGDMER_DEVICE"] = "cpu"
    world = distributed.join()
    for kind, terms in TERMS.items():
        for division, sizes in DIVISIONS.items():
            torch.save(gradient(terms, sizes, world), folder / f"{kind} {division} {world.rank}.pt")


@pytest.fixture(scope="module")
def of_ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with pytest.MonkeyPatch.context() as patch:
        fork_processes(patch)
        distributed.launch(2, write_gradients, folder)
    return folder


@pytest.mark.parametrize("kind", TERMS)
@pytest.mark.parametrize("division", DIVISIONS)
def test_ranks_and_micro_batches_give_the_gradient_of_the_whole_batch(of_ranks, kind, division):
    expected_loss, expected = gradient(TERMS[kind], [(RECORDS,)], World(0, 1, torch.device("cpu")))
    (first_loss, first), (second_loss, second) = (
        torch.load(of_ranks / f"{kind} {division} {rank}.pt", weights_only=True) for rank in (0, 1)
    )
    assert torch.equal(first, second), "every rank takes the same step"
    assert math.isclose((first_loss + second_loss) / 2, expected_loss, rel_tol=1e-5)
    assert (first - expected).norm() < 1e-5 * expected.norm()
