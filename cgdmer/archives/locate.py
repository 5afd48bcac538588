"""Find a corpus on this machine: at an explicit root, or as a folder or zip with a usual name in the raw root."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

from cgdmer.errors import DataError
from cgdmer.settings import Corpus

log = logging.getLogger(__name__)

MIRRORS = ("", "physionet.org/files", "files")
"""Folders below the raw root that may hold copies: itself, and where a recursive `wget` of PhysioNet puts them."""


def locate(
    source: str,
    aliases: tuple[str, ...],
    corpus: Corpus,
    raw_root: Path | None,
    recognises: Callable[[Path, bool], bool] | None = None,
) -> Path | None:
    """Return the folder or zip that holds a corpus outside the project, or None.

    1. `corpus.root` if it is set; DataError if nothing exists there.
    2. Else a folder or `.zip` in `raw_root` (or in its `physionet.org/files`) whose name is `source` or one of
       `aliases`, in any case and with any hyphens and underscores. Earlier aliases and folders have precedence over
       later aliases and zips.
    3. Else a folder or zip whose name continues after an alias, such as PhysioNet's `ptb-xl-a-large-...-1.0.3.zip`, and
       that `recognises` accepts; DataError if there are several, because the user must choose the version.
    4. Else `raw_root` itself, if its own name is an alias or it holds the corpus directly, not in a folder below.

    `corpus.way` is ignored; a caller that needs a copy raises `not_found` for None. `recognises(path, at_top)` returns
    whether a path holds this corpus, with `at_top` directly; without it only names are compared.
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
    """Return the error for a corpus that should be on this machine and is not."""
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
            allowed="a folder or a .zip with PhysioNet's layout",
            fix=f"set corpora.{source}.root in params.yaml to the path of the copy, or to null",
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
    """Return the candidate that holds the corpus and whose name starts with one of its names and a separator."""
    starts = ["[-_ ]?".join(map(re.escape, re.split("[-_ ]", name))) for name in names]
    pattern = re.compile(f"({'|'.join(starts)})[-_ .]", re.IGNORECASE)
    named = [path for path in candidates if pattern.match(_stem(path))]
    matches = [path for path in named if recognises is None or recognises(path, False)]
    for path in sorted(set(named) - set(matches)):
        log.warning("%s is named like %s but is damaged or holds something else; it is not used", path, source)
    if len(matches) > 1:
        raise DataError(
            f"several local copies could be {source}: {', '.join(str(path) for path in matches)}",
            allowed="one",
            fix=f"set corpora.{source}.root in params.yaml to the one to use",
        )
    return matches[0] if matches else None


def _itself(raw_root: Path, names: list[str], recognises: Callable[[Path, bool], bool] | None) -> Path | None:
    named = _plain(_stem(raw_root.resolve())) in names
    return raw_root if named or (recognises is not None and recognises(raw_root, True)) else None


def _stem(path: Path) -> str:
    return path.name[:-4] if path.suffix.lower() == ".zip" else path.name


def _plain(name: str) -> str:
    """Return a name in lower case without separators, so that `PTB-XL`, `ptb_xl` and `ptbxl` are one."""
    return re.sub(r"[-_ ]", "", name.lower())
