"""dvc.yaml, params.yaml, stage signatures and files on disk are held against each other."""

from pathlib import Path

import pytest
import yaml
from support import closure

from cgdmer import settings, stage_code, stages
from cgdmer.encoders import cgdmer_base, published
from cgdmer.evaluation import ablations

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


@pytest.mark.parametrize("name", sorted(PIPELINE.keys() - {"code"}))
def test_every_call_depends_on_the_digests_of_the_code_that_it_runs(name):
    function, packages = FUNCTION_OF[name], stage_code.BY_ITEM.get(FUNCTION_OF[name], ())
    item = "" if not packages else "-${item.encoder}" if "encoders" in packages else "-${item.source}"
    code = [dependency for dependency in PIPELINE[name]["deps"] if dependency.startswith("data/code/")]
    assert code[0] == f"data/code/{function}{item}.json"
    assert not [dependency for dependency in PIPELINE[name]["deps"] if dependency.startswith("cgdmer")]


def test_the_page_depends_on_the_code_that_decides_whether_the_ablations_are_stale():
    for stage in ablations.STAGES:
        item = f"-{ablations.METHOD}" if stage in stage_code.BY_ITEM else ""
        assert f"data/code/{stage}{item}.json" in PIPELINE["report"]["deps"]


def test_every_call_of_the_pipeline_has_digests():
    names = stage_code.calls(set(stages.STAGES) - {"code"}, settings.Matrix.model_validate(MATRIX))
    for name in PIPELINE.keys() - {"code"}:
        for items in closure.calls(PIPELINE[name], MATRIX) or [{}]:
            file = PIPELINE[name]["deps"][0]
            for item, value in items.items():
                file = file.replace(f"${{item.{item}}}", value)
            assert Path(file).stem in names


@pytest.mark.parametrize("name", ["embed", "control", "robustness"])
def test_a_stage_that_is_given_the_shipped_encoder_depends_on_the_files_behind_it(name):
    items = [call for call in closure.calls(PIPELINE[name], MATRIX) if call["encoder"] == cgdmer_base.NAME]
    assert len(items) == len(DEMO["benchmarks"])
    behind = {"cgdmer/encoders/cgdmer_base.py", "cgdmer/encoders/pretrained.py", "cgdmer/models/weights.py"}
    for call in items:
        assert behind <= closure.files(PIPELINE[name], call)


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
    calls = {name: closure.calls(stage, MATRIX) or [{}] for name, stage in PIPELINE.items() if name != "code"}
    stages = {name for name in calls if any(file in closure.files(PIPELINE[name], items) for items in calls[name])}
    while True:
        roots = set().union(*(output_roots(PIPELINE[name]) for name in stages))
        readers = {name for name in calls if reads(PIPELINE[name], roots)}
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
        files = closure.files(PIPELINE[name], {"source": "ptb_xl"})
        assert [file for file in sorted(files) if file.startswith(("cgdmer/simulator", "cgdmer/streams"))] == []


def test_profiles_never_shrink_what_dvc_reads():
    demo = settings.load(ROOT / "params/demo.yaml")
    assert set(demo.matrix.benchmarks) <= set(demo.matrix.sources)
    assert set(demo.matrix.probed) <= {*demo.matrix.encoders, *demo.matrix.controls}
    assert set(demo.corpora) >= set(demo.matrix.sources)


def test_a_pretraining_that_was_done_before_is_restored_and_not_repeated():
    """DVC's run cache holds only stages whose outputs are all in its cache."""
    assert all(isinstance(out, str) for out in PIPELINE["pretrain"]["outs"])
