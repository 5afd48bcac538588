"""The names of encoders: which exist, and which of those that the settings use do not.

An encoder is a module of `cgdmer/encoders` that defines a function `load`. The modules are parsed and not imported,
because most of them import PyTorch.
"""

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

from cgdmer.errors import did_you_mean

FOLDER = Path(__file__).parents[1] / "encoders"
MAX_TEXT = 40
"""Characters of a name that messages quote."""


def names() -> list[str]:
    """Return the names of the encoders, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if exists(path.stem))


def exists(name: str) -> bool:
    """Return True if an encoder has this name."""
    path = FOLDER / f"{name}.py"
    return name.isidentifier() and name != "__init__" and len(name) < 100 and path.is_file() and "load" in defined(path)


def defined(path: Path) -> set[str]:
    """Return the names of the functions and variables that a module defines."""
    statements = ast.parse(path.read_bytes()).body
    functions = {node.name for node in statements if isinstance(node, ast.FunctionDef)}
    targets = [target for node in statements if isinstance(node, ast.Assign) for target in node.targets]
    return functions | {target.id for target in targets if isinstance(target, ast.Name)}


def unknown(used: Mapping[str, Iterable[str]], declared: Iterable[str]) -> list[str]:
    """Return a sentence for each name, by the setting that uses it, that is neither an encoder nor `declared`."""
    known = set(declared)
    known |= {name for each in used.values() for name in {*each} - known if exists(name)}
    wrong = [(setting, name[:MAX_TEXT]) for setting, each in used.items() for name in each if name not in known]
    choices = sorted(known.union(names())) if wrong else []
    return [f"'{key}' names {name!r}, which is no encoder{did_you_mean(name, choices)}" for key, name in wrong]
