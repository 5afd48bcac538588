"""A model as a folder of the Hugging Face hub: model.safetensors, config.json, tokenizer.json and a card."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.errors import DataError
from cgdmer.files import atomic, write_text
from cgdmer.models import tokens, weights

MODEL, CARD = "model.safetensors", "README.md"
"""Names that the hub looks for."""
NAMES = {weights.WEIGHTS: MODEL, tokens.FILE: tokens.FILE, weights.CONFIG: weights.CONFIG}
"""The files of a model by this package's names, with those of the hub."""
FILES = (weights.CONFIG, MODEL, weights.WEIGHTS, tokens.FILE, CARD)
"""Everything that a download takes; a repository may hold other files."""


def save(model: Path, folder: Path, card: str) -> None:
    """Write the model in `model` into `folder` as the hub wants it, with `card` as its README.

    DataError if `model` is incomplete.
    """
    weights.load(model)
    for name, saved in NAMES.items():
        if (model / name).is_file():
            with atomic(folder / saved) as temporary:
                shutil.copyfile(model / name, temporary)
    write_text(folder / CARD, card)


def load(folder: Path, name: str = "cgdmer") -> Pretrained:
    """Open a folder of the hub, or one that stage pretrain left; DataError when a file is missing or damaged."""
    if not (folder / MODEL).is_file():
        return open_folder(folder, name)
    with _own_names(folder) as renamed:
        try:
            return open_folder(renamed, name)
        except DataError as error:
            problem = error.problem.replace(str(renamed), str(folder))
            raise DataError(problem, allowed=error.allowed, fix=f"download {folder} again") from error


@contextmanager
def _own_names(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder of links with the names of this package."""
    with tempfile.TemporaryDirectory(prefix="cgdmer") as temporary:
        linked = Path(temporary)
        for name, saved in NAMES.items():
            if (folder / saved).is_file():
                (linked / name).symlink_to((folder / saved).resolve())
        yield linked
