"""Owns finding a corpus on this machine: an explicit root, or a folder or zip of a usual name under the raw root."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from cgdmer.errors import DataError
from cgdmer.settings import Corpus

log = logging.getLogger(__name__)

MIRRORS = ("", "physionet.org/files", "files")
"""Where copies lie below the raw root: directly, or as a recursive `wget` of PhysioNet leaves them."""


def locate(
    source: str,
    aliases: tuple[str, ...],
    corpus: Corpus,
    raw_root: Path | None,
    recognises: Callable[[Path, bool], bool] | None = None,
) -> Path | None:
    """Return the folder or zip that holds a corpus outside the project, or None where there is none.

    1. `corpus.root`, where set, is the answer; DataError where nothing lies there.
    2. Else a folder or `.zip` in `raw_root` (or in its `physionet.org/files`) whose name is `source` or one of
       `aliases`, whatever its case, hyphens and underscores. An earlier alias goes before a later one, a folder
       before a zip.
    3. Else one whose name goes on after an alias, as PhysioNet's `ptb-xl-a-large-...-1.0.3.zip` does, and that
       `recognises` accepts; DataError when several do, because choosing between versions is not ours to do.
    4. Else `raw_root` itself, when its own name is an alias or it holds the corpus directly, not in a folder below.

    None is an answer for `way: auto` only; whoever needs a copy raises `not_found`. `corpus.way` is not looked at.
    `recognises(path, at_top)` returns whether a path holds this corpus,
    with `at_top` directly; without it names decide alone.
    """
    if corpus.root is not None:
        return _explicit(source, corpus.root)
    if raw_root is None:
        return None
    names = [_plain(name) for name in (source, *aliases)]
    candidates = _candidates(raw_root)
    exact = [path for name in names for path in candidates if _plain(_stem(path)) == name]
    if exact:
        return exact[0]
    return _continued(source, (source, *aliases), candidates, recognises) or _itself(raw_root, names, recognises)


def not_found(source: str, aliases: tuple[str, ...], raw_root: Path | None) -> DataError:
    """Build the error for a corpus that should be on this machine and is not."""
    where = f"under CGDMER_RAW_ROOT={raw_root}" if raw_root else "because CGDMER_RAW_ROOT is not set"
    return DataError(
        f"no local copy of {source} {where}",
        allowed=f"a folder or .zip named like {', '.join(dict.fromkeys((source, *aliases)))}",
        fix=f"export CGDMER_RAW_ROOT=/folder/that/holds/it, or set corpora.{source}.root in params.yaml",
    )


def _explicit(source: str, root: str) -> Path:
    path = Path(root).expanduser()
    if not (path.is_dir() or path.is_file()):
        raise DataError(
            f"corpora.{source}.root: {root} does not exist",
            allowed="a folder or a .zip laid out like PhysioNet's",
            fix=f"set corpora.{source}.root in params.yaml to where the copy lies, or to null",
        )
    return path


def _candidates(raw_root: Path) -> list[Path]:
    """Return the folders, then the zips, that could be a corpus, sorted."""
    if not raw_root.is_dir():
        return []
    children = [child for mirror in MIRRORS if (raw_root / mirror).is_dir() for child in (raw_root / mirror).iterdir()]
    visible = sorted(child for child in children if not child.name.startswith("."))
    folders = [child for child in visible if child.is_dir()]
    return folders + [child for child in visible if child.suffix.lower() == ".zip" and child.is_file()]


def _continued(
    source: str, names: tuple[str, ...], candidates: list[Path], recognises: Callable[[Path, bool], bool] | None
) -> Path | None:
    """Return the one candidate whose name starts with a corpus name and a separator, and that holds the corpus."""
    starts = ["[-_ ]?".join(map(re.escape, re.split("[-_ ]", name))) for name in names]
    pattern = re.compile(f"({'|'.join(starts)})[-_ .]", re.IGNORECASE)
    named = [path for path in candidates if pattern.match(_stem(path))]
    held = [path for path in named if recognises is None or recognises(path, False)]
    for path in sorted(set(named) - set(held)):
        log.warning("%s is named like %s but is damaged or holds something else; it is not used", path, source)
    if len(held) > 1:
        raise DataError(
            f"several local copies could be {source}: {', '.join(str(path) for path in held)}",
            allowed="one",
            fix=f"set corpora.{source}.root in params.yaml to the one that is meant",
        )
    return held[0] if held else None


def _itself(raw_root: Path, names: list[str], recognises: Callable[[Path, bool], bool] | None) -> Path | None:
    named = _plain(_stem(raw_root.resolve())) in names
    return raw_root if named or (recognises is not None and recognises(raw_root, True)) else None


def _stem(path: Path) -> str:
    return path.name[:-4] if path.suffix.lower() == ".zip" else path.name


def _plain(name: str) -> str:
    """Return a name in lower case without separators, so that `PTB-XL`, `ptb_xl` and `ptbxl` are one."""
    return re.sub(r"[-_ ]", "", name.lower())
