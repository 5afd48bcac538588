"""The structure of the code: layers, no import cycles, sizes, module docstrings, homes of heavy libraries."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for room in ("cgdmer", "flows", "benchmarks") for path in (ROOT / room).rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
LONGEST = 300
"""Lines of the longest file."""
HOMES = {
    "mlflow": ("cgdmer/tracking",),
    "great_expectations": ("cgdmer/validation",),
    "prefect": ("flows",),
    "wfdb": ("cgdmer/waveforms", "cgdmer/encoders/beat_tokens", "benchmarks"),
    "transformers": ("cgdmer/models/text",),
    "sklearn": ("benchmarks",),
    "distributed": ("cgdmer/executor",),
    "dask": ("cgdmer/executor",),
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_imports_point_down_the_layers():
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("package", ["cgdmer", "flows"])
def test_no_module_imports_itself_through_others(package):
    graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
    TopologicalSorter({name: graph.find_modules_directly_imported_by(name) for name in graph.modules}).prepare()


BY_NAME = ("cgdmer.stages.", "cgdmer.encoders.", "cgdmer.datasets.", "cgdmer.demo_corpora.", "cgdmer.tracking.served_")
"""Modules that are loaded by their name, from dvc.yaml, params.yaml or a served model."""
PROGRAMS = {
    "cgdmer.fork_server", "cgdmer.settings.manual", "cgdmer.tracking.follower",
    "flows.ablations", "flows.backup", "flows.daily", "flows.experiments", "flows.pipeline", "flows.serving",
}  # fmt: skip
"""Modules that are called from outside: `python -m`, a fresh process, Prefect, or an import that a name decides."""


def test_every_module_is_used():
    graph = grimp.build_graph("cgdmer", "flows", cache_dir=None)
    leaves = [name for name in graph.modules if not graph.find_children(name)]
    unused = {name for name in leaves if not graph.find_modules_that_directly_import(name)}
    assert {name for name in unused if not name.startswith(BY_NAME)} == PROGRAMS


def test_import_of_the_package_is_instant():
    script = "import sys, cgdmer; print(sorted(n for n in sys.modules if n.split('.')[0] in ('cgdmer', 'numpy')))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) == ["cgdmer", "cgdmer.version"]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_file_is_short_has_a_head_and_short_functions(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= LONGEST
    if text.strip():
        assert ast.get_docstring(tree), "the first line says what the module owns"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno + 1 <= 60, node.name
            assert node.returns is not None, f"{node.name} has no return type"


def test_files_of_tests_are_short_too():
    lines = {relative(path): path.read_text().count("\n") for path in TESTS}
    assert len(lines) > 200
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_heavy_libraries_stay_at_home(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        for name in names:
            homes = HOMES.get(name.split(".")[0])
            assert homes is None or relative(path).startswith(homes), f"{name} lives in {homes}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_no_drawer_for_odds_and_ends(path):
    assert not {"utils", "common", "helpers", "misc"} & set(Path(relative(path)).with_suffix("").parts)


def test_no_pickle_no_eval_no_shell():
    forbidden = {"eval", "exec"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in forbidden, f"{relative(path)}:{node.lineno} {name}"
                assert name not in {"pickle.load", "pickle.loads", "yaml.load", "os.system"}, relative(path)
                assert not any(k.arg == "shell" for k in node.keywords), f"{relative(path)}:{node.lineno} shell"
