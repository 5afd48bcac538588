"""Killed with SIGKILL at random places, started again: the result is that of an uninterrupted run, to the bit."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from support import example_pool as example
from support import pretraining_victim as victim
from support.edited_code import edit
from support.interruption import interrupted_after_checkpoints

from cgdmer import paths
from cgdmer.errors import Preempted
from cgdmer.training import checkpoint, progress

pytestmark = pytest.mark.xdist_group("resume")

LIVES = 13
TESTS = Path(__file__).resolve().parents[1]


def results(folder):
    files = [*(folder / paths.MODEL).iterdir(), *(folder / paths.CURVE).parent.iterdir()]
    return {path.name: path.read_bytes() for path in files}


def run(folder, *seeds):
    example.write(folder)
    environment = os.environ | {"PYTHONPATH": str(TESTS), "CGDMER_WORKERS": "1"}
    command = [sys.executable, str(TESTS / "support/pretraining_victim.py"), str(folder), *map(str, seeds)]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return [int(word) for word in out.stdout.split() if word.isdigit()]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    example.write(folder)
    with contextlib.chdir(folder):
        victim.train()
    return results(folder)


@pytest.mark.long
def test_killed_at_random_places_it_ends_with_the_same_bytes(tmp_path, uninterrupted):
    seeds = [random.randrange(10**6) for _ in range(LIVES)]
    killed, ended = run(tmp_path, *seeds)
    assert killed >= 10, f"only {killed} of {LIVES} lives were killed; seeds {seeds}"
    assert ended == 0, f"seeds {seeds}"
    assert results(tmp_path) == uninterrupted, f"seeds {seeds}"
    assert not (tmp_path / paths.scratch("pretrain")).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_checkpoint_and_a_code_then_the_same_bytes(tmp_path, uninterrupted, monkeypatch, number):
    example.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    add, calls = progress.StepLog.add, []
    handlers = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]

    def stop_at_six(*arguments, **named):
        calls.append(1)
        if len(calls) == 6:
            os.kill(os.getpid(), number)
        return add(*arguments, **named)

    monkeypatch.setattr(progress.StepLog, "add", stop_at_six)
    with pytest.raises(Preempted, match=f"{number.name} .* a checkpoint is saved") as stopped:
        victim.train()
    assert stopped.value.code == 75
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == handlers
    [scratch] = paths.scratch("pretrain").iterdir()
    assert checkpoint.newest(scratch).step in (6, 7)
    monkeypatch.setenv("CGDMER_WORKERS", "3")
    victim.train()
    assert results(tmp_path) == uninterrupted


CHANGED = {"accumulate": 2, "checkpoint_steps": 7, "log_steps": 1, "keep": 5, "gradient_checkpointing": True}


def test_a_run_goes_on_when_only_settings_change_that_alter_no_result(tmp_path, monkeypatch, caplog):
    """Without dropout, because a micro-batch draws its own."""
    monkeypatch.setattr(victim, "MODEL", example.MODEL)
    for name in ("uninterrupted", "changed"):
        example.write(tmp_path / name)
    monkeypatch.chdir(tmp_path / "uninterrupted")
    victim.train()
    monkeypatch.chdir(tmp_path / "changed")
    with interrupted_after_checkpoints(1):
        victim.train()
    monkeypatch.setattr(victim, "TRAIN", victim.TRAIN.model_copy(update=CHANGED))
    with caplog.at_level("INFO", logger="cgdmer"):
        victim.train()
    assert re.search(r"resumed after step (4|8|12) ", caplog.text)
    written, expected = (results(tmp_path / name) for name in ("changed", "uninterrupted"))
    weights, expected_weights = (load(files["weights.safetensors"]) for files in (written, expected))
    assert all(torch.allclose(value, expected_weights[name], atol=5e-3) for name, value in weights.items())
    epochs, expected_epochs = (json.loads(files["summary.json"])["epochs"] for files in (written, expected))
    for line, expected_line in zip(epochs, expected_epochs, strict=True):
        assert line == pytest.approx(expected_line, rel=1e-3)


@pytest.mark.parametrize(
    ("file", "goes_on"), [("cgdmer/objectives/alignment.py", False), ("cgdmer/tracking/journal.py", True)]
)
def test_an_edit_of_code_that_a_training_runs_begins_it_anew(
    tmp_path, uninterrupted, monkeypatch, caplog, file, goes_on
):  # fmt: skip
    example.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with interrupted_after_checkpoints(1):
        victim.train()
    edit(monkeypatch, file)
    with caplog.at_level("INFO", logger="cgdmer"):
        victim.train()
    assert ("resumed after step" in caplog.text) == goes_on
    assert results(tmp_path) == uninterrupted


def test_a_damaged_newest_checkpoint_costs_steps_and_nothing_else(tmp_path, uninterrupted, monkeypatch):
    example.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    with interrupted_after_checkpoints(2):
        victim.train()
    newest = max(paths.scratch("pretrain").glob("*/step-*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 16
    newest.write_bytes(content)
    victim.train()
    assert results(tmp_path) == uninterrupted
