"""Changing the profile: `params.yaml` becomes `params/NAME.yaml` over the demo profile and keeps the user's edits.

The change is a three-way merge: the base is the profile from which `params.yaml` was written, named in its first line;
a key whose value differs from the base is the user's edit.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from cgdmer import settings
from cgdmer.errors import ConfigError, did_you_mean
from cgdmer.files import write_text
from cgdmer.settings import bounded_yaml

PROFILES = Path("params")
BASE = PROFILES / "demo.yaml"
"""Every setting of the demo; `params.yaml` starts as a copy of it."""
PARAMS = Path("params.yaml")
OF_COMMANDS = {"encoder": "train-encoder", "folds": "cross-validation"}
"""Files in `params/` that a command reads by itself; they are no profiles of the pipeline."""

ADAPTED = "# Adapted to this machine: "
"""Start of the line that holds the values of `Adaptation`, so that they do not count as the user's edits."""
ABSENT = "(absent)"
"""Stands for the value of a key that is not set."""

Content = dict[str, Any]
Resolution = Literal["keep", "discard"]


@dataclass(frozen=True)
class Adaptation:
    """Values that a command sets over a profile because of what this machine has, and one line per reason."""

    values: Content = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def names() -> list[str]:
    """Return the profiles in `params/`, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.yaml"))


def switch(
    name: str,
    resolution: Resolution | None = None,
    adapt: Callable[[settings.Settings], Adaptation] = lambda _: Adaptation(),
) -> str:
    """Write `params.yaml` for a profile, keep the user's edits, and return a message that names each of them.

    `resolution` decides the keys that both the user and the profile change: `keep` the user's values or `discard` them.
    `discard` also drops edits of the other keys that the profile itself sets; the demo sets every key.
    `adapt` returns values to set over the profile. Raises ConfigError for an unknown profile, for wrong settings, and
    for such a key without a `resolution`; `params.yaml` then stays as it was.
    """
    if name in OF_COMMANDS:
        raise ConfigError(
            f"'{name}' is no profile of the pipeline",
            allowed=", ".join(one for one in names() if one not in OF_COMMANDS),
            fix=f"python -m cgdmer {OF_COMMANDS[name]}, which reads params/{name}.yaml by itself",
        )
    text, current, base = _present()
    profile, own = read(name), settings.read(PROFILES / f"{name}.yaml")
    merged, _ = merge(base, current, profile, resolution, own)
    adaptation = adapt(settings.parse(merged, name=str(PARAMS)))
    merged, lines = merge(base, current, settings.merge(profile, adaptation.values), resolution, own)
    settings.parse(merged, name=str(PARAMS))
    title = "the demo profile" if name == BASE.stem else f"profile {name}"
    lines = [*lines, *adaptation.lines]
    if merged != current or header(name, adaptation) != _head(text):
        written = _text_of(name, merged, adaptation)
        write_text(PARAMS, written)
        lines += [f"lost your comment: {comment}" for comment in _comments(text)]
    return "\n".join([*lines, f"params.yaml is {title}; next: dvc repro"])


def preview(name: str) -> tuple[Content, list[str]]:
    """Return the content that `switch` would write with `keep`, without `adapt`, and one line per edit of the user.

    Raises ConfigError for an unknown profile or wrong settings.
    """
    _, current, base = _present()
    merged, lines = merge(base, current, read(name), "keep")
    settings.parse(merged, name=f"profile {name} with the edits of {PARAMS}")
    return merged, lines


def _present() -> tuple[str, Content | None, Content | None]:
    """Return text and content of `params.yaml`, and the settings from which it was written, if it exists."""
    if not os.path.lexists(PARAMS):
        return "", None, None
    content = settings.read(PARAMS)
    text = PARAMS.read_text(encoding="utf-8")
    return text, content, written_from(text)


def read(name: str) -> Content:
    """Return the settings of a profile over the demo; raise ConfigError for an unknown profile or wrong settings."""
    if name not in names():
        raise ConfigError(
            f"no profile is called '{name}'{did_you_mean(name, names())}",
            allowed=", ".join(names()) or "none: this folder has no params/",
            fix="cgdmer profile demo" if names() else "run from the project's root",
        )
    overlay = PROFILES / f"{name}.yaml"
    content = settings.merge(settings.read(BASE), settings.read(overlay))
    settings.parse(content, name=str(overlay))
    return content


def name_of(text: str) -> str:
    """Return the profile that the first line of a `params.yaml` names; the demo by default."""
    match = re.match(r"# Profile (\S+):", text)
    return match[1] if match and match[1] in names() else BASE.stem


def written_from(text: str) -> Content:
    """Return the settings from which a `params.yaml` was written, as its first lines name them; the demo by default."""
    content = read(name_of(text))
    adapted = re.search(f"^{re.escape(ADAPTED)}(.*)$", text, re.MULTILINE)
    try:
        values = bounded_yaml.load(adapted[1]) if adapted else {}
    except (yaml.YAMLError, ValueError, RecursionError):
        values = {}
    return settings.merge(content, values if isinstance(values, dict) else {})


def merge(
    base: Content | None, current: Content | None, profile: Content, resolution: Resolution | None,
    own: Content | None = None,
) -> tuple[Content, list[str]]:  # fmt: skip
    """Return the profile with the user's edits, and one line per edit.

    An edit is a key of `current` whose value differs from `base`. It conflicts if the profile sets the key to a third
    value; ConfigError names all conflicts unless there is a `resolution`. `discard` drops those, and edits of the keys
    in `own`, which the profile itself sets.
    """
    if base is None or current is None:
        return profile, []
    before, mine, theirs = flat(base), flat(current), flat(profile)
    edits = [key for key in {**before, **mine} if mine.get(key, ABSENT) != before.get(key, ABSENT)]
    edits = [key for key in edits if mine.get(key, ABSENT) != theirs.get(key, ABSENT)]
    conflicts = [key for key in edits if theirs.get(key, ABSENT) != before.get(key, ABSENT)]
    if conflicts and resolution is None:
        raise ConfigError(
            "\n".join(
                f"{'.'.join(key)}: yours is {_text(mine, key)}, the profile's is {_text(theirs, key)}"
                for key in conflicts
            ),
            allowed="--keep for your values, --discard for the profile's",
            fix="cgdmer profile NAME with one of the two flags, or edit params.yaml; nothing was written",
        )
    discarded = {*conflicts, *flat(own or {})} if resolution == "discard" else set()
    merged = profile
    for key in edits:
        if key not in discarded:
            merged = _with(merged, key, mine.get(key, ABSENT))
    words = {key: "discarded" if key in discarded else "kept" for key in edits}
    return merged, [f"{word} your {'.'.join(key)}: {_text(mine, key)}" for key, word in words.items()]


def flat(content: Content, parent: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Return the values that are not mappings by their path of keys; a list is one value."""
    leaves: dict[tuple[str, ...], Any] = {}
    for key, value in content.items():
        path = (*parent, str(key))
        leaves |= flat(value, path) if isinstance(value, dict) else {path: value}
    return leaves


def header(name: str, adaptation: Adaptation) -> list[str]:
    """Return the first lines of a `params.yaml` that was written for a profile."""
    lines = [f"# Profile {name}: params/{name}.yaml over params/demo.yaml."] if name != BASE.stem else []
    values = yaml.safe_dump(adaptation.values, default_flow_style=True, width=10**6).strip()
    return [*lines, f"{ADAPTED}{values}"] if adaptation.values else lines


def _head(text: str) -> list[str]:
    """Return the lines of a `params.yaml` that `header` wrote."""
    return [line for line in text.splitlines() if line.startswith((ADAPTED, "# Profile "))]


def _text_of(name: str, content: Content, adaptation: Adaptation) -> str:
    """Return the text of `params.yaml`: that of the demo profile if it has the same content, else YAML."""
    if content == settings.read(BASE) and name == BASE.stem:
        return BASE.read_text(encoding="utf-8")
    body = yaml.dump(content, Dumper=_AsDVC, sort_keys=False, default_flow_style=False)
    return "\n".join([*header(name, adaptation), body])


class _AsDVC(yaml.SafeDumper):
    """Writes block style as DVC does, so that `dvc exp run --set-param` changes the lines of its values alone."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values in full: a profile may share a list with the demo."""
        return True


_AsDVC.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))


def _comments(text: str) -> dict[str, None]:
    """Return the comments of a `params.yaml` that neither `header` nor the demo profile wrote, in order."""
    comments = [match[1] for line in text.splitlines() if (match := re.search(r"(?:^|\s)(#.*)$", line))]
    shipped = BASE.read_text(encoding="utf-8")
    return dict.fromkeys(line for line in comments if line not in _head(text) and line not in shipped)


def _with(content: Content, path: tuple[str, ...], value: Any) -> Content:
    """Return a mapping with one value set at a path, or removed if the value is ABSENT."""
    key, *below = path
    if below:
        inner = content.get(key)
        return {**content, key: _with(inner if isinstance(inner, dict) else {}, tuple(below), value)}
    if value == ABSENT:
        return {name: item for name, item in content.items() if name != key}
    return {**content, key: value}


def _text(leaves: dict[tuple[str, ...], Any], key: tuple[str, ...]) -> str:
    """Return a value as it is written in YAML."""
    value = leaves.get(key, ABSENT)
    return ABSENT if value == ABSENT else yaml.safe_dump(value, default_flow_style=True).removesuffix("\n...\n").strip()
