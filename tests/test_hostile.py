"""The code never unpickles, evaluates or shells out, by its syntax; odd names pass from a folder to its shards."""

import ast
import socket
from pathlib import Path

import pytest
from support.small_corpus import digital

from cgdmer import paths, stages, tables
from cgdmer.settings import Corpus, Index, Signal
from cgdmer.shards import open_shards
from cgdmer.signals import LEADS
from cgdmer.waveforms import record_bytes

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path for top in ("cgdmer", "flows", "benchmarks") for path in (ROOT / top).rglob("*.py"))
FORBIDDEN = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "pickle.load", "pickle.loads", "joblib.load",
    "torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "marshal.loads", "shelve.open",
    "cloudpickle.loads", "tempfile.mktemp", "subprocess.getoutput", "subprocess.getstatusoutput",
}  # fmt: skip


LOADS_OBJECTS = {"cgdmer/conversion/stand_ins.py": ["torch.load"]}
"""The one place that reads a pickle of objects: every class in it is replaced, and the process is confined."""


def called(node: ast.Call) -> str:
    """Return the dotted name of what a call calls."""
    parts, function = [], node.func
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    return ".".join([function.id if isinstance(function, ast.Name) else "?", *reversed(parts)])


def faults(tree: ast.AST) -> list[str]:
    violations = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, words = called(node), {word.arg: word.value for word in node.keywords}
        if name == "torch.load" and isinstance(only := words.get("weights_only"), ast.Constant) and only.value is True:
            continue
        if name in FORBIDDEN or (name.endswith(".extractall") and "filter" not in words):
            violations.append(f"line {node.lineno}: {name}")
        for word in ("shell", "allow_pickle"):
            if word in words and not (isinstance(words[word], ast.Constant) and words[word].value is False):
                violations.append(f"line {node.lineno}: {word}=")
        if name.startswith("subprocess.") and node.args and isinstance(node.args[0], ast.JoinedStr | ast.Constant):
            violations.append(f"line {node.lineno}: a command as one string")
    return violations


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pickle_no_eval_no_shell_no_unsafe_yaml(path):
    found = [fault.split(": ")[1] for fault in faults(ast.parse(path.read_text()))]
    assert found == LOADS_OBJECTS.get(str(path.relative_to(ROOT)), [])


@pytest.mark.parametrize(
    "line",
    ["eval(x)", "torch.load(p)", "torch.load(p, weights_only=False)", "torch.load(p, weights_only=flag)",
     "yaml.load(x)", "subprocess.run(f'rm {x}')", "subprocess.run(x, shell=True)", "os.system('ls')",
     "np.load(p, allow_pickle=True)", "archive.extractall(x)"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(line):
    assert faults(ast.parse(line))


ODD = ['a it\'s "b" ünï çø∂é', "<script>alert(1)</script>", "$(touch x);`touch x` %s{0}"]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_go_from_folder_to_shards(tmp_path, monkeypatch, name):
    folder = tmp_path / f"raw {name}".replace("/", "_") / "csn" / "WFDBRecords" / name.replace("/", "_")
    folder.mkdir(parents=True)
    top = folder.parents[1]
    (top / "ConditionNames_SNOMED-CT.csv").write_text("AcronymName,FullName,Snomed_CT\nSR,sinus,426783006\n")
    for number in range(6):
        comments = ["Age: 50", "Sex: Male", "Dx: 426783006"]
        files = record_bytes(f"JS{number:05d}", digital(number), 500.0, LEADS, fmt="16+24", comments=comments)
        for file, content in files.items():
            (folder / file).write_bytes(content)
    (folder / "a\nnew line.hea").write_bytes(b"r 1 500 10\n")
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")
    corpus = Corpus(root=str(top))
    stages.find("acquire")("csn", corpus=corpus)
    stages.find("index")("csn", corpus=corpus, index=Index())
    stages.find("shards")("csn", corpus=corpus, signal=Signal(shard_records=4))
    assert tables.read(paths.index("csn")).height == len(open_shards(paths.shards("csn"), verify=True)) == 6
    assert not (tmp_path / "project" / "x").exists()


def test_nothing_is_read_through_a_link_that_leads_out(tmp_path):
    from cgdmer.archives import open_archive
    from cgdmer.errors import DataError

    (tmp_path / "secret.hea").write_text("secret")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "r.hea").symlink_to(tmp_path / "secret.hea")
    archive = open_archive(tmp_path / "corpus")
    assert archive.names() == []
    for name in ("r.hea", "../secret.hea", str(tmp_path / "secret.hea")):
        with pytest.raises(DataError, match="leads out of the corpus"):
            archive.read(name)


def test_no_stage_opens_a_socket_to_simulate_or_read(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setenv("CGDMER_EXECUTOR", "serial")  # all in this process, where sockets are refused
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.chdir(tmp_path)
    stages.find("acquire")("csn", corpus=Corpus(way="simulate", records=8))
    assert (paths.raw("csn") / "csn.zip").is_file()
