"""Owns taking a corpus that lies on this machine: it stays where it is, and its manifest becomes the output."""

import logging
from pathlib import Path

from cgdmer.acquisition import manifest, tree
from cgdmer.errors import DataError

log = logging.getLogger(__name__)


def take(source: str, root: Path, folder: Path) -> None:
    """Write the manifest of the folder or zip `root` into `folder`.

    Errors: DataError when it holds no file, or lies in `folder`, which is emptied before each run.
    """
    if folder.resolve() in (root.resolve(), *root.resolve().parents):
        raise DataError(
            f"the copy of {source} at {root} lies in {folder}, which is an output and is emptied before each run",
            mend=f"mv {root} elsewhere and set corpora.{source}.root to it",
        )
    files = tree.scan(root)
    if files.is_empty():
        raise DataError(
            f"{root} holds no file", allowed=f"a copy of {source}", mend=f"set corpora.{source}.root in params.yaml"
        )
    manifest.begin(folder, manifest.outputs(source))
    manifest.write_tree(folder, source, tree.checksums(root, files))
    log.info("%s: %d files, %.1f MB stay at %s", source, files.height, int(files["size"].sum()) / 1e6, root)
