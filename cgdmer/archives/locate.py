"""Find a corpus on this machine: at an explicit root, or as a folder or zip with a usual name in the raw root."""

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cgdmer.errors import DataError
from cgdmer.settings import Corpus

log = logging.getLogger(__name__)

MIRRORS = ("", "physionet.org/files", "files")
"""Folders below the raw root that may hold copies: itself, and where a recursive `wget` of PhysioNet puts them."""

VERSION = re.compile(r"v?\d+(\.\d+)+")
"""The name of a folder for one version of a PhysioNet project, such as `1.0.3`."""

Recognises = Callable[[Path, bool], bool]
"""`recognises(path, at_top)` returns whether a folder or zip holds this corpus, with `at_top` directly."""


def locate(
    source: str,
    aliases: Sequence[str],
    corpus: Corpus,
    raw_root: Path | None,
    recognises: Recognises | None = None,
    collections: Sequence[str] = (),
) -> Path | None:
    """Return the folder or zip that holds a corpus outside the project, or None.

    1. `corpus.root` if it is set; DataError if nothing exists there.
    2. Else a folder or `.zip` in `raw_root` (or in its `physionet.org/files`) whose name is `source` or one of
       `aliases`, in any case and with any hyphens and underscores. Earlier aliases and folders have precedence over
       later aliases and zips.
    3. Else a folder or zip whose name continues after an alias, such as PhysioNet's `ptb-xl-a-large-...-1.0.3.zip`, and
       that `recognises` accepts; a folder has precedence over the zip of the same name.
    4. Else the same two steps for `collections`, the projects that hold this corpus among others, one of which may be
       `raw_root` itself; `recognises` must accept them.
    5. Else `raw_root` itself, if its own name is an alias or it holds the corpus directly, not in a folder below.

    A folder with one folder per version, as PhysioNet's mirror has them, stands for the version it holds. DataError if
    there are several versions, because the user must choose one. `corpus.way` is ignored; a caller that needs a copy
    raises `not_found` for None. Without `recognises` only names are compared.
    """
    if corpus.root is not None:
        return _explicit(source, corpus.root)
    if raw_root is None:
        return None
    names, candidates = (source, *aliases), _candidates(raw_root)
    if exact := _exact(source, names, candidates):
        return _version(source, exact, recognises) or exact
    return (
        _continued(source, names, candidates, recognises)
        or _collection(source, collections, [*candidates, raw_root.absolute()], recognises)
        or _itself(source, raw_root, names, recognises)
    )


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


def _exact(source: str, names: Sequence[str], candidates: list[Path]) -> Path | None:
    """Return the first candidate with one of the names; log those that are not used."""
    matches = [path for name in map(_plain, names) for path in candidates if _plain(_stem(path)) == name]
    for path in dict.fromkeys(matches[1:]):
        if path != matches[0]:
            _log_second(source, matches[0], path)
    return matches[0] if matches else None


def _continued(source: str, names: Sequence[str], candidates: list[Path], recognises: Recognises | None) -> Path | None:
    """Return the candidate that holds the corpus and whose name starts with one of its names and a separator."""
    starts = ["[-_ ]?".join(map(re.escape, re.split("[-_ ]", name))) for name in names]
    pattern = re.compile(f"({'|'.join(starts)})[-_ .]", re.IGNORECASE)
    named = [path for path in candidates if names and pattern.match(_stem(path))]
    matches = [path for path in named if recognises is None or recognises(path, False)]
    for path in sorted(set(named) - set(matches)):
        log.warning("%s is named like %s but is damaged or holds something else; it is not used", path, source)
    return _only(source, _without_unpacked(source, matches))


def _without_unpacked(source: str, matches: list[Path]) -> list[Path]:
    """Return the matches without the zips that are also there as a folder of the same name, where `unzip` puts it."""
    unpacked = [path for path in matches if path.suffix.lower() == ".zip" and path.with_suffix("") in matches]
    for path in unpacked:
        _log_second(source, path.with_suffix(""), path)
    return [path for path in matches if path not in unpacked]


def _log_second(source: str, used: Path, other: Path) -> None:
    log.warning("%s: %s is used, %s is not; corpora.%s.root chooses another", source, used, other, source)


def versions(folder: Path) -> list[Path]:
    """Return the folders in a folder that are named as a version, as mirrors have them, sorted."""
    return sorted(child for child in folder.iterdir() if VERSION.fullmatch(child.name) and child.is_dir())


def _version(source: str, folder: Path, recognises: Recognises | None) -> Path | None:
    """Return the folder of the only version that holds the corpus, or None if there is none; DataError if several."""
    if not folder.is_dir():
        return None
    return _only(source, [path for path in versions(folder) if recognises is None or recognises(path, False)])


def _collection(
    source: str, collections: Sequence[str], candidates: list[Path], recognises: Recognises | None
) -> Path | None:
    """Return the first collection, or its version, that holds the corpus."""
    for name in collections:
        for path in candidates:
            title = path.parent.name if VERSION.fullmatch(path.name) else _stem(path)
            if _plain(title) == _plain(name):
                if version := _version(source, path, recognises):
                    return version
                if recognises is None or recognises(path, False):
                    return path
        if matching := _continued(source, [name], candidates, recognises):
            return matching
    return None


def _itself(source: str, raw_root: Path, names: Sequence[str], recognises: Recognises | None) -> Path | None:
    if _plain(_stem(raw_root.resolve())) in map(_plain, names):
        return _version(source, raw_root, recognises) or raw_root
    return raw_root if recognises is not None and recognises(raw_root, True) else None


def _only(source: str, matches: list[Path]) -> Path | None:
    """Return the match, or None without one; DataError if there are several."""
    if len(matches) > 1:
        raise DataError(
            f"several local copies could be {source}: {', '.join(str(path) for path in matches)}",
            allowed="one",
            fix=f"set corpora.{source}.root in params.yaml to the one to use",
        )
    return matches[0] if matches else None


def _stem(path: Path) -> str:
    return path.name[:-4] if path.suffix.lower() == ".zip" else path.name


def _plain(name: str) -> str:
    """Return a name in lower case without separators, so that `PTB-XL`, `ptb_xl` and `ptbxl` are one."""
    return re.sub(r"[-_ ]", "", name.lower())
