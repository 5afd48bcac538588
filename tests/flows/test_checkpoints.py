"""Checkpoints of abandoned trainings go by age and by size; what may be resumed or is running stays."""

import fcntl
import os
import time
from pathlib import Path

import pytest

from flows import checkpoints


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """Return a function that writes the checkpoints of an unfinished training with an age in days and a size."""
    monkeypatch.chdir(tmp_path)

    def write(key: str, days: float, size: int = 1000, stage: str = "pretrain") -> Path:
        folder = Path(".cgdmer/work") / stage / key
        folder.mkdir(parents=True)
        for name in ("step-000000010.safetensors", "step-000000010.json"):
            (folder / name).write_bytes(b"0" * (size // 2))
            then = time.time() - days * 86400
            os.utime(folder / name, (then, then))
        return folder

    return write


def test_old_ones_go_and_the_newest_stays_however_old(trainings):
    newest, old, other = trainings("a", 40), trainings("b", 50), trainings("c", 60, stage="finetune")
    [line] = checkpoints.clean()
    assert str(old) in line
    assert "50 days old" in line
    assert (newest.exists(), old.exists(), other.exists()) == (True, False, True)


def test_the_oldest_go_while_they_take_too_much_space(trainings):
    folders = [trainings(str(age), age) for age in range(5)]
    assert len(checkpoints.clean(gigabytes=3000e-9)) == 2
    assert [folder.exists() for folder in folders] == [True, True, True, False, False]


def test_one_that_alone_takes_too_much_stays_because_it_may_be_resumed(trainings):
    folder = trainings("a", 1, size=5000)
    assert checkpoints.clean(gigabytes=3000e-9) == []
    assert folder.exists()


def test_nothing_of_a_running_stage_is_removed(trainings):
    folders = [trainings(key, 90 + number) for number, key in enumerate("ab")]
    lock = Path(".cgdmer/locks/pretrain")
    lock.parent.mkdir(parents=True)
    with lock.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert checkpoints.clean() == []
    assert len(checkpoints.clean()) == 1
    assert [folder.exists() for folder in folders] == [True, False]


def test_work_without_checkpoints_and_that_of_commands_is_left_alone(trainings):
    folds = [trainings(key, 90 + number, stage="folds") for number, key in enumerate("ab")]
    file = Path(".cgdmer/work/embed/cgdmer/csn/0.npy")
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (0, 0))
    assert checkpoints.clean(0.0, 0.0) == []
    assert file.exists()
    assert all(folder.exists() for folder in folds)


@pytest.mark.parametrize("words", [["-1"], ["x"], ["1", "2", "3"], ["nan"], ["inf"]])
def test_wrong_limits_are_refused(trainings, words, capsys):
    assert checkpoints.main(words) == 2
    assert "python -m flows.checkpoints 7 5" in capsys.readouterr().err


def test_the_command_says_what_it_removed(trainings, capsys):
    trainings("a", 1)
    trainings("b", 2)
    assert checkpoints.main(["1.5"]) == 0
    assert "removed .cgdmer/work/pretrain/b" in capsys.readouterr().out
    assert checkpoints.main([]) == 0
    assert capsys.readouterr().out == "nothing to remove\n"
