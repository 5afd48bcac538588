"""Every command in a document exists: programs, targets, subcommands and options are parsed, Python is compiled."""

import ast
import importlib.metadata
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from cgdmer import cli, settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
COMMANDS = {"make", "python", "cgdmer", "dvc", "prefect", "mlflow", "docker", "git", "pip", "torchrun", "pre-commit"}
PLAIN = {"cd", "export", "curl", "kubectl", "pg_dump", "pg_restore", "psql", "cp", "rsync", "tar", "mkdir", "find",
         "ls", "apt-get", "sudo", "createdb", "hf", "test", "rm", "sha256sum", "ssh", "env", "uv"}  # fmt: skip
"""Programs that are not ours and not in the environment; only their lines' quoting is checked."""
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def blocks(page):
    return [(kind, body) for kind, body in BLOCK.findall(page.read_text(encoding="utf-8"))]


def lines(page):
    """Every line of an untagged or shell block that begins with a program, continued lines joined, comments dropped."""
    for kind, body in blocks(page):
        if kind not in ("", "sh", "bash", "console"):
            continue
        for line in body.replace("\\\n", " ").splitlines():
            words = line.strip().removeprefix("$ ").split("#", 1)[0].strip()
            if words and program(words) in COMMANDS | PLAIN:
                yield words


def program(line):
    words = line.split()
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words = words[1:]
    return words[0].rsplit("/", 1)[-1] if words else ""


FOUND = [(page, line) for page in PAGES for line in lines(page)]
named = pytest.mark.parametrize(
    ("page", "line"), FOUND, ids=[f"{page.relative_to(ROOT)}: {line}" for page, line in FOUND]
)


def split(line):
    words = shlex.split(line)
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words = words[1:]
    return words


def test_documents_hold_commands():
    assert len(FOUND) >= 45
    assert {page.name for page, _ in FOUND} >= {"README.md", "CONTRIBUTING.md"}


@named
def test_a_command_exists(page, line):
    for part in re.split(r"\s(?:\|\||&&|\||;)\s", line):
        words = split(part)
        check = {"make": is_target, "python": is_module, "cgdmer": parses, "prefect": has_subcommand,
                 "mlflow": has_subcommand, "dvc": has_subcommand}.get(program(part))  # fmt: skip
        if check:
            check(words)


def is_target(words):
    targets = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
    assert set(targets) <= TARGETS, f"the Makefile has no target {set(targets) - TARGETS}"


def is_module(words):
    if words[1:2] != ["-m"]:
        return
    if words[2] == "cgdmer":
        parses(words[2:])
    else:
        place = ROOT.joinpath(*words[2].split("."))
        owned = words[2].split(".")[0] in ("benchmarks", "flows", "tests")
        assert not owned or place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), place


def parses(words):
    arguments = [re.sub(r"^(STAGE|SOURCE|DATASET|NAME|ITEM)$", "ptb_xl", word) for word in words[1:]]
    if "--help" in arguments:
        return
    cli.parser().parse_args([word for word in arguments if not re.match(r"^[<>2].*", word) or word == "-"])


def has_subcommand(words):
    """The subcommands a line names, before its first option or value, are in the tool's own help."""
    tool, rest = words[0].rsplit("/", 1)[-1], []
    for word in words[1:]:
        if word.startswith("-"):
            continue
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        rest.append(word)
    assert not rest or known(tool, rest[0]), f"{tool} has no command {rest[0]}"


HELP: dict[str, str] = {}


def known(tool, word):
    if tool not in HELP:
        program = Path(sys.executable).with_name(tool)
        HELP[tool] = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    return re.search(rf"^\W*{re.escape(word)}\b", HELP[tool], re.M) is not None


PYTHON = [(page, body) for page in PAGES for kind, body in blocks(page) if kind == "python"]


@pytest.mark.parametrize(("page", "body"), PYTHON, ids=[f"{page.name}-{i}" for i, (page, _) in enumerate(PYTHON)])
def test_python_compiles_and_imports_what_exists(page, body):
    for node in ast.walk(ast.parse(body)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "cgdmer":
            module = __import__(node.module, fromlist=["_"])
            missing = [a.name for a in node.names if not hasattr(module, a.name) and not submodule(node.module, a.name)]
            assert not missing, f"{node.module} has no {missing}"


def submodule(module, name):
    place = ROOT.joinpath(*module.split("."), name)
    return place.with_suffix(".py").is_file() or place.is_dir()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_of_the_project_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"^[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_named_in_a_document_exist(page):
    """`section.key` in backticks, where the section is one of ours, is a setting."""
    sections = settings.Settings.model_fields
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for section, key in re.findall(r"`([a-z_]+)\.([a-z_]+)(?:: [^`]*)?`", text):
        if section in sections and section != "corpora" and key not in ("py", "json", "html", "md"):
            fields = sections[section].annotation.model_fields
            assert key in fields, f"{page.name}: {section}.{key}; there are {', '.join(fields)}"


def test_yaml_in_documents_parses():
    for page in PAGES:
        for kind, body in blocks(page):
            if kind in ("yaml", "yml"):
                assert yaml.safe_load(body) is not None, page


def test_the_documented_python_version_is_the_declared_one():
    assert importlib.metadata.metadata("cgdmer")["Requires-Python"] == ">=3.11"
    assert "Python 3.11 or newer" in (ROOT / "README.md").read_text()
