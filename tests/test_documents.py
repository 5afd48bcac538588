"""Documents hold what they say: commands, links, settings, citations, code examples and signatures."""

import ast
import importlib.metadata
import inspect
import re
import shlex
from pathlib import Path

import pytest
import yaml
from support import example_recordings as example
from support.console_help import help_text

import cgdmer
from cgdmer import cli, errors, recordings, settings

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/*.md")])
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
COMMANDS = {"make", "python", "cgdmer", "dvc", "prefect", "mlflow", "docker", "git", "pip", "torchrun", "pre-commit"}
PLAIN = {"cd", "export", "curl", "kubectl", "pg_dump", "pg_restore", "psql", "cp", "rsync", "tar", "mkdir", "find",
         "ls", "apt-get", "sudo", "createdb", "hf", "test", "rm", "sha256sum", "ssh", "env", "uv"}  # fmt: skip
"""Programs of others that the environment does not have; only the quoting of their lines is checked."""
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.M))


def blocks(page):
    return [(kind, body) for kind, body in BLOCK.findall(page.read_text(encoding="utf-8"))]


def lines(page):
    """Yield the lines of untagged and shell blocks that begin with a program; join continued lines, drop comments."""
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


LINES = [(page, line) for page in PAGES for line in lines(page)]
each_line = pytest.mark.parametrize(
    ("page", "line"), LINES, ids=[f"{page.relative_to(ROOT)}: {line}" for page, line in LINES]
)


def split(line):
    words = shlex.split(line)
    while words and re.match(r"^[A-Z_]+=", words[0]):
        words = words[1:]
    return words


def test_documents_hold_commands():
    assert len(LINES) >= 45
    assert {page.name for page, _ in LINES} >= {"README.md", "CONTRIBUTING.md"}


@each_line
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
        path = ROOT.joinpath(*words[2].split("."))
        ours = words[2].split(".")[0] in ("benchmarks", "cgdmer", "flows", "tests")
        assert not ours or path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), path


def parses(words):
    arguments = [re.sub(r"^(STAGE|SOURCE|DATASET|NAME|ITEM)$", "ptb_xl", word) for word in words[1:]]
    if "--help" in arguments:
        return
    cli.parser().parse_args([word for word in arguments if not re.match(r"^[<>2].*", word) or word == "-"])


def has_subcommand(words):
    """Check that the first subcommand of a line is in the tool's own help."""
    tool = words[0].rsplit("/", 1)[-1]
    word = next((word for word in words[1:] if not word.startswith("-")), "")
    assert not re.fullmatch(r"[a-z][a-z-]*", word) or in_help(tool, word), f"{tool} has no command {word}"


def in_help(tool, word):
    return re.search(rf"^\W*(\w+ \()?{re.escape(word)}\b", help_text(tool), re.M) is not None  # an alias is in brackets


PYTHON = [(page, body) for page in PAGES for kind, body in blocks(page) if kind == "python"]


@pytest.mark.parametrize(("page", "body"), PYTHON, ids=[f"{page.name}-{i}" for i, (page, _) in enumerate(PYTHON)])
def test_python_compiles_and_imports_what_exists(page, body):
    for node in ast.walk(ast.parse(body)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "cgdmer":
            module = __import__(node.module, fromlist=["_"])
            missing = [a.name for a in node.names if not hasattr(module, a.name) and not submodule(node.module, a.name)]
            assert not missing, f"{node.module} has no {missing}"


def submodule(module, name):
    path = ROOT.joinpath(*module.split("."), name)
    return path.with_suffix(".py").is_file() or path.is_dir()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_of_the_project_lead_somewhere(page):
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"^[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_named_in_a_document_exist(page):
    """`folder/file.py` in backticks is a file below the root or below cgdmer/."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_0-9]+\.py)`", text)) if page.name != "protocols.md" else set()
    roots = (ROOT, ROOT / "cgdmer")
    absent = {path for path in named if not any((root / path).is_file() for root in roots)}
    assert absent - {"cgdmer/datasets/ward.py", "cgdmer/encoders/small_cnn.py"} == set()


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


CITING = [
    path
    for folder in ("cgdmer", "flows", "tests", "benchmarks", "params", "docs")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in (".py", ".md", ".yaml", ".json") and "protocols.md" in path.read_text(encoding="utf-8")
]
SECTION = re.compile(r"(?<![\w./-])([A-H]\.\d+(?:\.\d+)?)(?![\w-]|\.\d)")


def test_every_cited_section_of_the_protocols_is_a_heading():
    text = (ROOT / "docs/protocols.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^#+ ([A-H]\.\d+(?:\.\d+)?) ", text, re.M))
    cited = {section: path for path in CITING for section in SECTION.findall(path.read_text(encoding="utf-8"))}
    assert len(cited) >= 20
    assert {section: path.name for section, path in cited.items() if section not in headings} == {}


def test_glossary_terms_are_defined_once_and_in_full_sentences():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", (ROOT / "docs/glossary.md").read_text(), re.M)
    terms = {term: meaning for term, meaning in rows if term not in ("word", "---")}
    assert len(terms) >= 25
    assert len(terms) == len([term for term, _ in rows if term not in ("word", "---")])
    assert [term for term, meaning in terms.items() if not meaning.endswith((".", ".)"))] == []


EXAMPLES = [(page, body) for page, body in PYTHON if re.search(r'load_encoder\(("data/models/pretrain")?\)', body)]


@pytest.mark.parametrize(("page", "body"), EXAMPLES, ids=[page.name for page, _ in EXAMPLES])
def test_an_example_of_the_api_runs(page, body, tmp_path, monkeypatch):
    (tmp_path / "data/models").mkdir(parents=True)
    (tmp_path / "data/models/pretrain").symlink_to(example.model())
    for name in ("record", "my_record"):
        example.wfdb(tmp_path, name)
    monkeypatch.chdir(tmp_path)
    exec(compile(body, page.name, "exec"), {})


API = (ROOT / "docs/api.md").read_text()


def test_the_examples_are_run():
    assert {page.name for page, _ in EXAMPLES} >= {"README.md", "api.md", "own_recordings.md"}


@pytest.mark.parametrize("documented", re.findall(r"^### `([^`]+)`$", API, re.M))
def test_a_documented_signature_is_the_real_one(documented):
    name, parameters = documented.removesuffix(")").split("(", 1)
    owner, name = name.split(".")
    function = getattr(cgdmer if owner == "cgdmer" else type(cgdmer.load_encoder(example.model())), name)
    real = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
    ]
    assert f"({parameters})" == str(inspect.Signature(real))


def rows_of(heading):
    """Return the first word of each table row below a heading of docs/api.md."""
    return re.findall(r"^\| `(\w+)` \|", API.split(f"## {heading}\n")[1].split("\n#")[0], re.M)


def test_documented_attributes_and_errors_exist(tmp_path):
    encoder = cgdmer.load_encoder(example.model())
    recording = cgdmer.read_record(example.wfdb(tmp_path, "record"), encoder)
    assert [name for name in rows_of("An encoder") if not hasattr(encoder, name)] == []
    assert rows_of("A recording") == list(inspect.signature(type(recording)).parameters)
    assert isinstance(recording, recordings.Recording)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.CgdmerError]
    table = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", API.split("## Errors")[1], re.M))
    assert {name: int(code) for name, code in table.items()} == {kind.__name__: kind.code for kind in kinds}
