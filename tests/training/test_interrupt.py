"""Signals are remembered until the step is done; ranks stop together."""

import os
import signal

import pytest
import torch

from cgdmer.training import World
from cgdmer.training.interrupt import AGREE_STEPS, Interrupt


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_remembered_by_name(number):
    with Interrupt(World(0, 1, torch.device("cpu"))) as interrupt:
        assert not interrupt.agreed(3)
        os.kill(os.getpid(), number)
        assert interrupt.agreed(3)
        assert interrupt.name == number.name


def test_a_second_ctrl_c_ends_at_once():
    with Interrupt(World(0, 1, torch.device("cpu"))), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_ranks_agree_on_the_signal_of_any_of_them(monkeypatch):
    def other_rank_was_asked(flag, operation):
        assert operation == torch.distributed.ReduceOp.MAX
        flag.fill_(1)

    monkeypatch.setattr(torch.distributed, "all_reduce", other_rank_was_asked)
    with Interrupt(World(0, 2, torch.device("cpu"))) as interrupt:
        assert not interrupt.agreed(AGREE_STEPS + 1)
        assert interrupt.agreed(2 * AGREE_STEPS)
