"""Which tasks of a flow run are skipped at once, and that a skipped one takes no slot and looks skipped."""

import pytest

from cgdmer import settings
from flows import pipeline, remote, tasks

MATRIX = settings.Matrix(
    sources=["mimic_iv_ecg", "csn"], benchmarks=["csn"], encoders=["cgdmer"], controls=["random"],
    probed=["cgdmer", "random"], robustness=["cgdmer"],
)  # fmt: skip


@pytest.fixture
def submitted(monkeypatch):
    """Return a function that submits the whole benchmark without a server; it returns stage to the task's tags."""

    def submit(changed: set[str] | None) -> dict[str, str]:
        shown: dict[str, str] = {}

        def record(kind):
            def start(stage, wait_for, return_state):
                shown[stage] = kind
                return object()

            return start

        for kind in ("stage", "control", "acquire", "pretrain", "gpu_stage", "unchanged"):
            monkeypatch.setattr(getattr(tasks, kind), "submit", record(kind))
        submission = pipeline.Submission(changed)
        validated = pipeline._data(MATRIX, submission)
        pretrained = pipeline._pretraining(list(validated.values()), submission)
        pipeline._benchmark(MATRIX, validated, pretrained, submission)
        return shown

    return submit


def test_a_run_with_nothing_to_do_waits_for_no_device(submitted):
    shown = submitted(set())
    assert len(shown) > 15
    assert set(shown.values()) == {"unchanged"}
    assert not tasks.unchanged.tags


def test_without_an_answer_of_dvc_every_stage_is_asked(submitted):
    assert "unchanged" not in submitted(None).values()


def test_a_change_reaches_all_that_comes_after_it_and_nothing_else(submitted):
    shown = submitted({"pretrain"})
    skipped = {stage for stage, kind in shown.items() if kind == "unchanged"}
    before = ("protocol", "acquire", "index", "shards", "validate", "pretraining_set")
    controls = {"control@random-csn", "probe@random-csn"}
    assert skipped == {stage for stage in shown if stage.split("@")[0] in before} | controls
    assert shown["pretrain"] == "pretrain"
    assert shown["embed@cgdmer-csn"] == "gpu_stage"


def test_a_result_that_is_not_shared_yet_is_no_reason_to_skip(submitted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    remote._unshared("index@csn").parent.mkdir(parents=True)
    remote._unshared("index@csn").touch()
    assert submitted(set())["index@csn"] == "unchanged"
    monkeypatch.setenv(remote.REMOTE, "store")
    shown = submitted(set())
    assert shown["index@csn"] == "stage"
    assert shown["index@mimic_iv_ecg"] == "unchanged"


@pytest.mark.parametrize(("ran", "name"), [(True, "Completed"), (False, "Skipped")])
def test_a_stage_that_dvc_did_not_run_looks_skipped(monkeypatch, ran, name):
    lines: list[str] = []
    monkeypatch.setattr(tasks, "get_run_logger", lambda: Logger(lines))
    monkeypatch.setattr(tasks.remote, "reproduce", lambda stage, log, timeout: ran)
    state = tasks._reproduce("index@csn", 1.0, tasks.plain)
    assert (state.name, state.is_completed(), state.data) == (name, True, ran)
    assert lines == [f"index@csn: {'done' if ran else 'nothing had changed'}"]


class Logger:
    """Collects the lines of a run's log."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines

    def info(self, text: str, *values: object) -> None:
        self.lines.append(text % values)


@pytest.mark.parametrize(
    ("answers", "shared", "shown", "changed"),
    [
        ([set()], True, "unchanged", set()),
        ([{"pretrain"}], True, "unchanged", {"pretrain"}),
        ([{"code"}, {"report"}], True, "stage", {"report"}),
        ([set(), set()], False, "stage", set()),
        ([None, None], True, "stage", None),
    ],
)
def test_dvc_is_asked_again_once_the_digests_of_the_code_are_new(answers, shared, shown, changed, monkeypatch):
    calls, left = [], list(answers)
    monkeypatch.setattr(pipeline.dvc, "changed_stages", lambda: left.pop(0))
    monkeypatch.setattr(remote, "is_shared", lambda _: shared)
    for kind in ("stage", "unchanged"):
        monkeypatch.setattr(tasks, kind, lambda name, kind=kind: calls.append((kind, name)))
    assert pipeline.changed() == changed
    assert calls == [(shown, "code")]
    assert left == []
