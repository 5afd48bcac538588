"""Two gloo processes give the curve and the weights of one; how processes choose devices and how they end."""

import contextlib
import csv
import logging
import os
import threading
import time

import pytest
import torch
from safetensors.torch import load_file
from support import example_pool as example
from support.forked import fork_processes

from cgdmer import distributed, paths, settings
from cgdmer.errors import CgdmerError, ConfigError, DataError, Preempted
from cgdmer.stages.pretrain import pretrain

TRAIN = settings.Train(epochs=2, batch=25, accumulate=2, held_out=10, log_steps=1, checkpoint_steps=100)
OBJECTIVE = settings.Objective(cross_reconstruction=0.3, orthogonality_kind="cross_covariance")
TOLERANCE = 2e-4
"""Of every number in the curve: sums are taken in another order."""


def train(folder, accumulate=2, **terms):
    example.write(folder, records=95)
    with contextlib.chdir(folder):
        pretrain(
            model=example.MODEL, masking=settings.Masking(), objective=OBJECTIVE.model_copy(update=terms),
            augmentation=settings.Augmentation(), train=TRAIN.model_copy(update={"accumulate": accumulate}),
            signal=example.SIGNAL,
        )  # fmt: skip
    with (folder / paths.CURVE).open() as stream:
        curve = [[float(value) for value in row.values()] for row in csv.DictReader(stream)]
    return torch.tensor(curve), load_file(folder / paths.MODEL / "weights.safetensors")


@pytest.mark.parametrize(("accumulate", "kind"), [
    (2, "cross_covariance"),
    pytest.param(3, "hsic", marks=pytest.mark.long),
    pytest.param(1, "cosine", marks=pytest.mark.long),
])  # fmt: skip
def test_two_processes_with_micro_batches_train_like_one_without(tmp_path, monkeypatch, accumulate, kind):
    one, weights = train(tmp_path / "one", 1, orthogonality_kind=kind)
    monkeypatch.setenv("CGDMER_DEVICES", "2")
    monkeypatch.setenv("CGDMER_DEVICE", "cpu")
    two, both = train(tmp_path / "two", accumulate, orthogonality_kind=kind)
    assert torch.allclose(one, two, rtol=TOLERANCE, atol=TOLERANCE)
    assert all(torch.allclose(weights[name], both[name], atol=5e-3) for name in weights)


def fail():
    if os.environ["RANK"] == "1":
        raise ConfigError("a wrong setting")


def test_a_process_that_fails_ends_all_with_its_kind_of_error(monkeypatch):
    fork_processes(monkeypatch)
    with pytest.raises(ConfigError, match="exit code 2"):
        distributed.launch(2, fail)


def pretend_nccl(marks):
    """Make this process believe that its gloo group is NCCL's, whose graceful end waits for the other ranks."""

    def wait_for_others():
        (marks / f"destroyed-{os.environ['RANK']}").touch()
        time.sleep(600)

    distributed.join()
    distributed.dist.get_backend = lambda: "nccl"
    distributed.dist.destroy_process_group = wait_for_others


def fail_while_the_others_wait(marks, error):
    pretend_nccl(marks)
    if os.environ["RANK"] == "1":
        raise error
    distributed.dist.barrier()


@pytest.mark.parametrize(
    ("error", "kind", "code"), [(DataError("a damaged shard"), DataError, 3), (ValueError("a bug"), CgdmerError, 1)]
)
def test_with_nccl_a_process_that_fails_ends_at_once_with_its_code(tmp_path, monkeypatch, capfd, error, kind, code):
    monkeypatch.setattr(distributed, "GRACE", 0.5)
    monkeypatch.setenv("CGDMER_DEVICE", "cpu")
    with pytest.raises(kind, match=f"process 1 .*exit code {code}"):
        distributed.launch(2, fail_while_the_others_wait, tmp_path, error)
    assert not (tmp_path / "destroyed-1").exists()  # neither by `leave` nor by the hook of atexit
    assert str(error) in capfd.readouterr().err


@pytest.fixture
def group(monkeypatch):
    """Return a function that pretends that this process is in a group, and the list of what it did to leave it."""
    done: list[object] = []

    def leave():
        done.append("left")
        monkeypatch.setattr(distributed.dist, "is_initialized", lambda: False)

    def end(code):
        done.append(code)
        raise KeyboardInterrupt  # os._exit does not return

    def enter(backend):
        monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
        monkeypatch.setattr(distributed.dist, "get_backend", lambda: backend)
        return done

    monkeypatch.setattr(distributed.dist, "destroy_process_group", leave)
    monkeypatch.setattr(distributed.os, "_exit", end)
    monkeypatch.setattr(logging, "shutdown", lambda: None)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return enter


@pytest.mark.parametrize(
    ("backend", "error", "expected"),
    [
        ("nccl", DataError("damaged"), [3]),
        ("nccl", ValueError("a bug"), [1]),
        ("nccl", Preempted("stopped"), ["left"]),
        ("nccl", None, ["left"]),
        ("gloo", DataError("damaged"), ["left"]),
        ("gloo", ValueError("a bug"), ["left"]),
        ("gloo", None, ["left"]),
    ],
)
def test_only_a_failure_with_nccl_ends_the_process_without_leaving(group, backend, error, expected):
    def work():
        if error:
            raise error

    done = group(backend)
    with contextlib.suppress(KeyboardInterrupt, SystemExit, ValueError):
        distributed._enter(0, 2, 29500, work, ())
    assert done == expected


def test_the_exit_code_of_an_error_is_kept_when_the_group_is_left(group):
    def work():
        raise Preempted("stopped")

    group("nccl")
    with pytest.raises(SystemExit) as caught:
        distributed._enter(0, 2, 29500, work, ())
    assert caught.value.code == Preempted.code


@pytest.mark.parametrize("backend", ["nccl", "gloo"])
def test_at_exit_the_group_is_left_once(group, backend):
    done = group(backend)
    distributed._leave_at_exit()
    distributed._leave_at_exit()
    assert done == ["left"]


def test_at_exit_nccl_is_not_waited_for_without_end(group, monkeypatch):
    group("nccl")
    release = threading.Event()
    monkeypatch.setattr(distributed, "LEAVE", 0.1)
    monkeypatch.setattr(distributed.dist, "destroy_process_group", release.wait)
    distributed._leave_at_exit()
    release.set()


def test_devices_and_their_number_come_from_the_environment(monkeypatch, gpus):
    gpus(0)
    assert distributed.process_count() == 1
    monkeypatch.setenv("CGDMER_DEVICES", "3")
    assert distributed.process_count() == 3
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert distributed.process_count() == 1
    monkeypatch.delenv("WORLD_SIZE")
    monkeypatch.setenv("CGDMER_DEVICES", "two")
    with pytest.raises(ConfigError, match="CGDMER_DEVICES=two"):
        distributed.process_count()


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that pretends so many GPUs, and returns the list of devices that were made current."""
    current: list[torch.device] = []

    def pretend(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", current.append)
        return current

    return pretend


@pytest.mark.parametrize("device", ["tpu!", "cuda", "cuda:0"])
def test_a_device_that_is_not_there_is_named(device, monkeypatch, gpus):
    gpus(0)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    with pytest.raises(ConfigError, match=f"CGDMER_DEVICE={device}"):
        distributed.choose_device()


@pytest.mark.parametrize(
    ("device", "local", "chosen"), [("auto", 0, 0), ("auto", 1, 1), ("cuda", 0, 0), ("cuda", 1, 1), ("cuda:1", 0, 1)]
)
def test_a_gpu_is_chosen_with_its_number_and_made_current(device, local, chosen, monkeypatch, gpus):
    current = gpus(2)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    assert distributed.choose_device(local) == torch.device("cuda", chosen)
    assert current == [torch.device("cuda", chosen)]


@pytest.mark.parametrize(("device", "count"), [("cpu", 2), ("auto", 0)])
def test_the_cpu_is_chosen_without_touching_a_gpu(device, count, monkeypatch, gpus):
    current = gpus(count)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    assert distributed.choose_device() == torch.device("cpu")
    assert not current


@pytest.mark.parametrize(
    ("device", "local", "processes", "problem"),
    [
        ("cuda:2", 0, 1, "CGDMER_DEVICE=cuda:2, but torch sees 2 GPUs"),
        ("cuda", 2, 3, "3 processes or more on this machine, but torch sees 2 GPUs"),
        ("auto", 2, 3, "3 processes or more on this machine, but torch sees 2 GPUs"),
        ("cuda:0", 0, 2, "CGDMER_DEVICE=cuda:0 with 2 processes"),
        ("cuda:0", 1, 2, "CGDMER_DEVICE=cuda:0 with 2 processes"),
    ],
)
def test_each_process_needs_a_gpu_of_its_own(device, local, processes, problem, monkeypatch, gpus):
    current = gpus(2)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    with pytest.raises(ConfigError, match=problem) as caught:
        distributed.choose_device(local)
    assert caught.value.allowed
    assert caught.value.fix
    assert not current


@pytest.mark.parametrize(
    ("device", "count", "devices", "processes"),
    [("auto", 8, "auto", 8), ("cuda", 8, "auto", 8), ("cuda", 8, "4", 4), ("cuda:3", 8, "auto", 1),
     ("cpu", 8, "auto", 1), ("cpu", 2, "3", 3), ("auto", 0, "3", 3), ("cuda:3", 8, "1", 1)],
)  # fmt: skip
def test_the_number_of_processes_suits_the_device(device, count, devices, processes, monkeypatch, gpus):
    gpus(count)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    monkeypatch.setenv("CGDMER_DEVICES", devices)
    assert distributed.process_count() == processes


@pytest.mark.parametrize(
    ("device", "count", "problem"),
    [("auto", 2, "sees 2 GPUs"), ("cuda", 2, "sees 2 GPUs"), ("cuda:1", 8, "with 3 processes"), ("cuda", 0, "no GPU")],
)
def test_more_processes_than_gpus_are_refused_before_any_starts(device, count, problem, monkeypatch, gpus):
    gpus(count)
    monkeypatch.setenv("CGDMER_DEVICE", device)
    monkeypatch.setenv("CGDMER_DEVICES", "3")
    with pytest.raises(ConfigError, match=problem):
        distributed.process_count()
