"""Pretrains in child processes that kill themselves with SIGKILL; run by test_resume as a program of its own.

`python pretraining_victim.py FOLDER SEED...`: one life per seed, each ending at a random call of some function, then
a last life that may finish.
"""

import os
import random
import signal
import sys
from pathlib import Path

import torch._dynamo  # noqa: F401  # once, not in every life

from cgdmer import settings
from cgdmer.stages.pretrain import pretrain
from cgdmer.training import checkpoint, engine, loop, progress
from support import example_pool as example

TRAIN = settings.Train(epochs=5, batch=14, checkpoint_steps=4, keep=2, ema=0.9, select="best", held_out=16, log_steps=3)
MODEL = example.MODEL.model_copy(update={"dropout": 0.1})
KILL_POINTS = [
    (engine.Engine, "step", 9),
    (engine.Engine, "_update", 9),
    (progress.StepLog, "add", 9),
    (progress.StepLog, "sync", 2),
    (checkpoint.Writer, "submit", 3),
    (checkpoint, "write_json", 2),
    (checkpoint, "sha256", 2),
    (loop.Run, "measure", 2),
    (os, "replace", 3),
]
"""Owner, function, and the most calls of it that a life lasts."""


def train() -> None:
    pretrain(
        model=MODEL, masking=settings.Masking(), objective=settings.Objective(), augmentation=settings.Augmentation(),
        train=TRAIN, signal=example.SIGNAL,
    )  # fmt: skip


def die_at(seed: int) -> None:
    """Arrange for SIGKILL before or after the n-th call of a function, both drawn from the seed."""
    draw = random.Random(seed)
    owner, name, most = draw.choice(KILL_POINTS)
    calls, after, original = draw.randint(1, most), draw.random() < 0.5, getattr(owner, name)

    def watched(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls -= 1
        if calls == 0 and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*arguments, **named)
        if calls == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, watched)


def live(seed: int | None) -> int:
    """Train in a child process and return how it ended, as os.waitpid says it."""
    child = os.fork()
    if child == 0:
        if seed is not None:
            die_at(seed)
        train()
        os._exit(0)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    folder, *seeds = sys.argv[1:]
    os.chdir(Path(folder))
    killed = sum(os.WIFSIGNALED(status) for status in [live(int(seed)) for seed in seeds])
    ended = live(None)
    sys.stdout.write(f"{killed} {ended}\n")
