"""The manual of `params.yaml`: `python -m cgdmer.settings.manual > docs/settings.md`.

Everything comes from the code and from the files of the project: descriptions from the docstrings of the fields, types
and limits from their annotations, demo values from `params/demo.yaml`, stages from `dvc.yaml`.
"""

import json
import sys
import types
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from cgdmer import settings
from cgdmer.settings import profiles
from cgdmer.settings.base import Section

INTRODUCTION = """# Settings

Every field of `params.yaml`, section by section. This page is generated from the docstrings of the settings; to change
it, edit `cgdmer/settings/`, then run `python -m cgdmer.settings.manual > docs/settings.md`.

`params.yaml` is read strictly: an unknown key or a value of the wrong type is an error that names the key. A field that
is left out has its default. DVC compares the sections that a stage reads, so a changed field reruns those stages and
what depends on them.
"""
PROFILES = """## Profiles

`python -m cgdmer profile NAME` writes `params.yaml`: the demo profile, updated with `params/NAME.yaml`. `encoder` and
`folds` are no profiles of the pipeline: each is read by the command that it names.

"""
NAMES = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", type(None): "`null`"}
LIMITS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below", "min_length": "entries: at least",
          "max_length": "entries: at most"}  # fmt: skip


def write(root: Path) -> str:
    """Return the manual as Markdown; `root` is the project's root."""
    demo, stages = settings.read(root / profiles.BASE), readers(root / "dvc.yaml")
    parts = [INTRODUCTION, profile_table(root / profiles.PROFILES)]
    for name, field in settings.Settings.model_fields.items():
        for path, section in sections(name, field.annotation):
            parts.append(f"## `{path}`\n\n{paragraph(section.__doc__)}\n")
            if path in (name, f"{name}.<source>"):
                parts.append(f"DVC stages: {', '.join(f'`{stage}`' for stage in stages[name]) or 'none'}.\n")
            parts.append(table(section, examples(path, demo)))
    return "\n".join(parts)


def profile_table(folder: Path) -> str:
    """Return a table of the files in `params/`, each with the comment at its top."""
    rows = ["| profile | description |", "|---|---|"]
    for file in sorted(folder.glob("*.yaml")):
        lines = takewhile(lambda line: line.startswith("#"), file.read_text(encoding="utf-8").splitlines())
        rows.append(f"| `{file.stem}` | {' '.join(line.lstrip('# ') for line in lines)} |")
    return PROFILES + "\n".join(rows) + "\n"


def readers(pipeline: Path) -> dict[str, list[str]]:
    """Return the DVC stages that read each section, in pipeline order."""
    stages: dict[str, list[str]] = {name: [] for name in settings.Settings.model_fields}
    for stage, content in yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"].items():
        for section in dict.fromkeys(param.split(".")[0] for param in content.get("params", [])):
            stages[section].append(stage)
    return stages


def sections(path: str, annotation: Any) -> Iterator[tuple[str, type[Section]]]:
    """Yield a section with its path in `params.yaml`, then the sections nested in it."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield path, annotation
        for name, field in annotation.model_fields.items():
            yield from sections(f"{path}.{name}", field.annotation)
    elif get_origin(annotation) is dict:
        key = {"corpora": "source", "embed.outside": "encoder"}.get(path)
        yield from sections(f"{path}.<{key}>", get_args(annotation)[1]) if key else ()
    elif get_origin(annotation) is list:
        members = get_args(get_args(annotation)[0])[:1]
        for member in get_args(members[0]) if members else ():
            if isinstance(member, type) and issubclass(member, Section):
                kinds = get_args(member.model_fields["kind"].annotation)
                yield f"{path}[kind={'|'.join(kinds)}]", member


def table(section: type[Section], demo: dict[str, dict[str, Any]]) -> str:
    """Return the fields of a section as a Markdown table; `demo` holds its values by corpus, or by '' if it is one."""
    rows = []
    for name, field in section.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        values = {
            key: content[name] for key, content in demo.items()
            if name in content and (field.is_required() or content[name] != default)
        }  # fmt: skip
        shown = "<br>".join(f"`{json.dumps(value)}`" + (f" {key}" if key else "") for key, value in values.items())
        shown_default = "see its section below" if isinstance(default, Section) else f"`{json.dumps(default)}`"
        first = "required" if field.is_required() else shown_default
        rows.append((f"`{name}`", described(field), first, shown, paragraph(field.description)))
    # the column of demo values is left out where it is empty
    columns = [0, 1, 2, 3, 4] if any(row[3] for row in rows) else [0, 1, 2, 4]
    head = ("key", "type and allowed values", "default", "demo, if different", "meaning")
    lines = [[head[column] for column in columns], ["---"] * len(columns)]
    lines += [[row[column].replace("|", "\\|") for column in columns] for row in rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def examples(path: str, demo: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the demo values of a section: by corpus for `corpora`, else under ''; none for the items of a list."""
    if path == "corpora.<source>":
        return dict(demo["corpora"])
    return {"": demo[path]} if path in demo else {}


def described(field: FieldInfo) -> str:
    """Return the type of a field with its limits, such as `integer, at least 1`."""
    limits = {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in (*LIMITS, "pattern")
        if getattr(limit, name, None) is not None
    }
    words = [type_name(field.annotation), *(f"{LIMITS[name]} {limits[name]:g}" for name in LIMITS if name in limits)]
    if "pattern" in limits:
        words.append(f"matching `{limits['pattern']}`")
    return ", ".join(words)


def type_name(annotation: Any) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is list:
        inner = type_name(arguments[0])
        return f"list of {inner}" + ("s" if inner in (*NAMES.values(), "section") else "")
    if origin is dict:
        return f"mapping of {type_name(arguments[0])} to {type_name(arguments[1])}"
    if origin is Annotated:
        return type_name(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(type_name(argument) for argument in arguments))
    return NAMES.get(annotation, "section")


def paragraph(text: str | None) -> str:
    """Return a docstring on one line."""
    return " ".join((text or "").split())


if __name__ == "__main__":
    sys.stdout.write(write(Path()))
