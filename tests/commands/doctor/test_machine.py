"""Disk space, permissions, and a GPU that is asked for."""

import shutil
from collections import namedtuple

import torch

from cgdmer.commands.doctor import machine


def test_little_room_and_a_folder_that_cannot_be_written_are_bad(monkeypatch, states):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 100))
    assert {state for state, _, _ in states(machine.disk())} == {"bad"}
    monkeypatch.setattr(machine, "writable", lambda path: False)
    assert "cannot be written" in states(machine.disk())[0][1]


def test_a_gpu_that_is_asked_for_and_not_there_is_bad(monkeypatch, states):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert states(machine.accelerator())[0][0] == "note"
    monkeypatch.setenv("CGDMER_DEVICE", "cuda")
    assert states(machine.accelerator())[0][0] == "bad"
