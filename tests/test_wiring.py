"""dvc.yaml, params.yaml, stage signatures and files on disk are held against each other."""

from pathlib import Path

import pytest
import yaml
from support import closure

from cgdmer import settings, stages
from cgdmer.encoders import cgdmer_base, published

ROOT = Path(__file__).resolve().parents[1]
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
DEMO = settings.load(ROOT / "params/demo.yaml").matrix.model_dump()
ADDED = {
    "encoders": [cgdmer_base.NAME],
    "controls": [cgdmer_base.NAME, *published.names()],
    "robustness": [cgdmer_base.NAME, *published.names()],
}
MATRIX = DEMO | {
    item: [*DEMO[item], *(name for name in names if name not in DEMO[item])] for item, names in ADDED.items()
}
"""The lists of the demo, and in them the shipped encoder and every published one, which anyone may add."""
FUNCTION_OF = {name: stage["cmd"].split()[4] for name, stage in PIPELINE.items()}


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_params_are_exactly_the_sections_the_function_names(name):
    declared = {param.split(".")[0] for param in PIPELINE[name]["params"]}
    named = {"corpora" if x == "corpus" else x for x in stages.section_names(stages.find(FUNCTION_OF[name]))}
    assert declared == named


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_items_are_exactly_the_matrix_and_stand_in_the_command(name):
    items = stages.item_names(stages.find(FUNCTION_OF[name]))
    assert list(PIPELINE[name].get("matrix", {})) == items
    command = ["python", "-m", "cgdmer", "run", FUNCTION_OF[name], *(f"${{item.{item}}}" for item in items)]
    assert PIPELINE[name]["cmd"].split() == command


def test_every_stage_function_is_wired_and_in_order():
    assert set(FUNCTION_OF.values()) == set(stages.STAGES)
    order = [stages.STAGES.index(function) for function in FUNCTION_OF.values()]
    assert order == sorted(order)


def test_every_section_is_read_by_some_stage():
    read = {section for name in stages.STAGES for section in stages.section_names(stages.find(name))}
    sections = set(settings.Settings.model_fields) | {"corpus"}
    assert read == sections - {"ablations", "attentive"}  # flows/ablations.py and a command run beside the pipeline


CALLS = [(name, items) for name, stage in PIPELINE.items() for items in closure.calls(stage, MATRIX) or [{}]]


@pytest.mark.parametrize(
    ("name", "items"), CALLS, ids=lambda value: value if isinstance(value, str) else "-".join(value.values())
)
def test_every_file_that_a_stage_runs_is_declared(name, items):
    run = {closure.file_of(module) for module in closure.closure(FUNCTION_OF[name], items)}
    assert not run - closure.declared_files(PIPELINE[name], items)


@pytest.mark.parametrize("name", ["embed", "control", "robustness"])
def test_a_stage_that_is_given_the_shipped_encoder_declares_the_files_behind_it(name):
    items = [call for call in closure.calls(PIPELINE[name], MATRIX) if call["encoder"] == cgdmer_base.NAME]
    assert len(items) == len(DEMO["benchmarks"])
    behind = {"cgdmer/encoders/cgdmer_base.py", "cgdmer/encoders/pretrained.py", "cgdmer/models/weights.py"}
    for call in items:
        assert behind <= closure.declared_files(PIPELINE[name], call)


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_every_declared_file_is_run_by_some_call_of_the_stage(name):
    calls = closure.calls(PIPELINE[name], MATRIX) or [{}]
    run = {closure.file_of(module) for items in calls for module in closure.closure(FUNCTION_OF[name], items)}
    declared = set().union(*(closure.declared_files(PIPELINE[name], items) for items in calls))
    assert not declared - run


@pytest.mark.parametrize("name", sorted(PIPELINE))
def test_every_dependency_on_code_exists(name):
    for items in closure.calls(PIPELINE[name], MATRIX) or [{}]:
        for dependency in PIPELINE[name]["deps"]:
            for item, value in items.items():
                dependency = dependency.replace(f"${{item.{item}}}", value)
            assert not dependency.startswith("cgdmer/") or (ROOT / dependency).exists(), dependency


def output_roots(stage: dict) -> set[str]:
    """Return the folders and files that a stage writes, without what its items add."""
    paths = {next(iter(output)) if isinstance(output, dict) else output for output in stage["outs"]}
    return {path.split("${")[0].rstrip("/") for path in paths}


def reads(stage: dict, roots: set[str]) -> bool:
    """Return whether a stage depends on anything below, or above, one of these paths."""
    pairs = [(f"{dependency}/", f"{root}/") for dependency in stage["deps"] for root in roots]
    return any(one.startswith(other) or other.startswith(one) for one, other in pairs)


def stale(file: str) -> set[str]:
    """Return the stages that an edit of a source file may rerun: those that run it, and all that read their outputs."""
    calls = {name: closure.calls(stage, MATRIX) or [{}] for name, stage in PIPELINE.items()}
    stages = {name for name in PIPELINE if any(file in closure.declared_files(PIPELINE[name], i) for i in calls[name])}
    while True:
        roots = set().union(*(output_roots(PIPELINE[name]) for name in stages))
        readers = {name for name, stage in PIPELINE.items() if reads(stage, roots)}
        if readers <= stages:
            return stages
        stages |= readers


AFTER_PRETRAINING = {
    "pretrain",
    "embed",
    "probe",
    "finetune",
    "robustness",
    "zero_shot",
    "retrieval",
    "disentanglement",
    "measurements",
    "report",
}


def test_an_edit_of_the_page_costs_the_page_alone():
    for file in ("html", "markdown", "headline", "numbers"):
        assert stale(f"cgdmer/report/{file}.py") == {"report"}


def test_an_edit_of_fine_tuning_costs_fine_tuning_and_the_page():
    for path in sorted((ROOT / "cgdmer/finetuning").glob("*.py")):
        assert stale(path.relative_to(ROOT).as_posix()) == {"finetune", "report"}


def test_an_edit_of_how_batches_are_built_costs_pretraining_and_all_that_follows():
    assert stale("cgdmer/training/records.py") >= AFTER_PRETRAINING
    assert not stale("cgdmer/training/records.py") & {"acquire", "index", "shards", "validate", "pretraining_set"}


def test_an_edit_of_the_simulator_never_reruns_training_on_real_corpora():
    for name in ("pretrain", "finetune"):
        files = closure.declared_files(PIPELINE[name], {"source": "ptb_xl"})
        assert [file for file in sorted(files) if file.startswith(("cgdmer/simulator", "cgdmer/streams"))] == []


def test_profiles_never_shrink_what_dvc_reads():
    demo = settings.load(ROOT / "params/demo.yaml")
    assert set(demo.matrix.benchmarks) <= set(demo.matrix.sources)
    assert set(demo.matrix.probed) <= {*demo.matrix.encoders, *demo.matrix.controls}
    assert set(demo.corpora) >= set(demo.matrix.sources)


def test_a_pretraining_that_was_done_before_is_restored_and_not_repeated():
    """DVC's run cache holds only stages whose outputs are all in its cache."""
    assert all(isinstance(out, str) for out in PIPELINE["pretrain"]["outs"])
