"""Checkpoints: complete or absent; the newest intact one is loaded."""

import threading

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


def test_the_writer_keeps_what_was_there_when_it_was_asked():
    weights, written, may_write = torch.zeros(3), [], threading.Event()

    def write(tensors):
        may_write.wait(10)
        written.append(tensors["weights"].tolist())

    with checkpoint.Writer() as writer:
        writer.submit({"weights": weights}, write)
        weights += 1
        writer.submit({"weights": weights}, write)
        weights += 1
        assert not written, "training does not wait for the disk"
        may_write.set()
    assert written == [[0.0] * 3, [1.0] * 3]


def test_more_copies_than_memory_is_meant_for_are_waited_for():
    done = []
    with checkpoint.Writer() as writer:
        for number in range(6):
            writer.submit({}, lambda _, number=number: done.append(number))
            assert len(writer.pending) <= checkpoint.MAX_PENDING
    assert done == list(range(6))


@pytest.mark.parametrize("ask", ["submit", "wait", "leave"])
def test_an_error_of_the_writer_is_raised_and_not_lost(ask):
    def fail(_):
        raise OSError("no space left on device")

    def train():
        with checkpoint.Writer() as writer:
            writer.submit({}, fail)
            if ask == "submit":
                for _ in range(checkpoint.MAX_PENDING):
                    writer.submit({}, lambda _: None)
            if ask == "wait":
                writer.wait()

    with pytest.raises(OSError, match="no space"):
        train()


def test_an_error_of_training_is_not_hidden_and_waits_for_the_writer(tmp_path):
    def stop():
        with checkpoint.Writer() as writer:
            writer.submit({"a": torch.ones(2)}, lambda copies: checkpoint.save(tmp_path, Checkpoint(4, copies, {}), 1))
            raise KeyError("training")

    with pytest.raises(KeyError):
        stop()
    assert checkpoint.newest(tmp_path).step == 4
