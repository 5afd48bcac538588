"""SIGKILL at random moments of every stage, then the same command again: same results as an undisturbed run."""

import pytest
from support import micro_project as micro

from cgdmer import stages

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500), pytest.mark.xdist_group("faults")]


def test_every_stage_is_in_the_plan():
    assert {call.split()[0] for call in micro.CALLS} == set(stages.STAGES)


def test_killed_anywhere_and_run_again_the_results_are_the_same(runs):
    assert sum(runs.suffered.values()) >= 40, f"seed {runs.seed}: {runs.suffered}"
    assert min(runs.suffered.values()) >= 1, f"seed {runs.seed}: {runs.suffered}"
    assert micro.digests(runs.killed) == micro.digests(runs.calm), f"seed {runs.seed}"


def test_no_work_in_progress_is_left(runs):
    left = [path for path in (runs.killed / ".cgdmer/work").rglob("*") if path.is_file()]
    assert not left
