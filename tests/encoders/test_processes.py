"""Batches spread over processes: the same bits as in one process, and a clear error when a worker dies."""

import os

import numpy as np
import pytest

from cgdmer.encoders import Setup, load
from cgdmer.encoders.processes import OneCore, Spread, on_every_core
from cgdmer.executor import WorkerDied
from cgdmer.settings import Model, Signal
from cgdmer.signals.leads import LEADS

FORM = Signal(seconds=2.0)


@pytest.fixture
def signal():
    return np.random.default_rng(0).standard_normal((7, len(LEADS), FORM.samples)).astype(np.float32) * 0.1


@pytest.mark.parametrize("leads", [None, ("I", "II")])
@pytest.mark.parametrize("counted", [False, True])
def test_features_are_the_same_to_the_bit(signal, leads, counted, monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    encoder = load("handcrafted", Setup(FORM, Model()))
    signal = signal if leads is None else signal[:, :2]
    valid = np.array([200, 150, 200, 200, 90, 200, 120], np.int32) if counted else None
    with on_every_core(encoder) as spread:
        assert isinstance(spread, Spread)
        for count in (7, 1, 0):
            part = None if valid is None else valid[:count]
            expected = encoder.encode(signal[:count], leads, part)["pooled"]
            np.testing.assert_array_equal(spread.encode(signal[:count], leads, part)["pooled"], expected)
        assert (spread.name, spread.dims, spread.fs) == (encoder.name, encoder.dims, encoder.fs)


def test_networks_and_single_workers_are_left_alone(monkeypatch):
    handcrafted, network = load("handcrafted", Setup(FORM, Model())), object()
    monkeypatch.setenv("CGDMER_WORKERS", "1")
    with on_every_core(handcrafted) as same:
        assert same is handcrafted
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    with on_every_core(network) as same:
        assert same is network


class Dying(OneCore):
    name, unit, leads, digest, fs, seconds, dims = "dying", "mV", LEADS, "", 100.0, 2.0, {"pooled": 1}

    def encode(self, signal, leads=None, valid=None):
        os._exit(1)


def test_a_worker_that_dies_is_named(signal, monkeypatch):
    monkeypatch.setenv("CGDMER_WORKERS", "2")
    with on_every_core(Dying()) as spread, pytest.raises(WorkerDied, match="killed"):
        spread.encode(signal)
