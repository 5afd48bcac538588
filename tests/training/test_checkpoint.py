"""Checkpoints: complete or absent; the newest intact one is loaded."""

import pytest
import torch

from cgdmer.training import checkpoint
from cgdmer.training.checkpoint import Checkpoint


def write(folder, *steps, keep=9):
    for step in steps:
        tensors = {"weights/a": torch.full((40,), float(step)), "optimiser/a/step": torch.tensor(float(step))}
        checkpoint.save(folder, Checkpoint(step, tensors, {"note": step}), keep)


def test_the_newest_comes_back(tmp_path):
    write(tmp_path, 3, 6, 12)
    loaded = checkpoint.newest(tmp_path)
    assert (loaded.step, loaded.facts) == (12, {"note": 12})
    assert torch.equal(loaded.tensors["weights/a"], torch.full((40,), 12.0))
    assert checkpoint.newest(tmp_path / "empty") is None


def test_only_the_newest_are_kept(tmp_path):
    write(tmp_path, 1, 2, 3, 4, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step-00000000{step}.{kind}" for step in (3, 4) for kind in ("json", "safetensors")
    ]


@pytest.mark.parametrize("harm", ["torn", "flipped", "gone", "half json", "json of nothing"])
def test_a_harmed_newest_one_is_passed_over_and_named(tmp_path, harm, caplog):
    write(tmp_path, 5, 9)
    tensors, description = (tmp_path / f"step-000000009.{kind}" for kind in ("safetensors", "json"))
    content = bytearray(tensors.read_bytes())
    if harm == "torn":
        tensors.write_bytes(content[:-7])
    elif harm == "flipped":
        content[-3] ^= 1
        tensors.write_bytes(content)
    elif harm == "gone":
        tensors.unlink()
    elif harm == "half json":
        description.write_text(description.read_text()[:20])
    else:
        description.write_text("[]")
    assert checkpoint.newest(tmp_path).step == 5
    assert "step-000000009" in caplog.text


def test_every_flipped_bit_is_found(tmp_path):
    write(tmp_path, 1)
    path = tmp_path / "step-000000001.safetensors"
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        assert checkpoint.newest(tmp_path) is None
    path.write_bytes(content)
    assert checkpoint.newest(tmp_path).step == 1
