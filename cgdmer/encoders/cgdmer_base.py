"""The shipped encoder `cgdmer-base`: a CG-DMER encoder whose files are part of this package, in `cgdmer/base`.

The weights are stored in half precision and run in fp32. `python -m cgdmer package` writes the files.
"""

from pathlib import Path

from cgdmer.embeddings import Origin
from cgdmer.encoders.base import Setup
from cgdmer.encoders.pretrained import Pretrained, open_folder
from cgdmer.errors import DataError
from cgdmer.models import weights

WORD = "cgdmer-base"
"""What `cgdmer.load_encoder` and `--model` call it."""
NAME = "cgdmer_base"
"""What results and params.yaml call it."""
FOLDER = Path(__file__).parents[1] / "base"
DIGEST = "5142bef86715cd287bdf97ad973d8c50dea4752d24d14a61c0b3cd2d84992a55"
"""Hex sha256 of config, weights and tokenizer of the shipped encoder; '' while none is shipped.

The files are no DVC dependency: this line is. It changes with the weights, so that the stages which read them rerun.
"""

ORIGIN = Origin(
    title=WORD, citation="this package", link="cgdmer/base/README.md", code="cgdmer/encoders/cgdmer_base.py",
    licence="MIT", trained_on=["simulated recordings"],
    notes="trained on recordings of the simulator that also makes the demo corpora, with another seed",
)  # fmt: skip


def require() -> Path:
    """Return the folder of the shipped encoder; DataError if this package was built without it."""
    if not (FOLDER / weights.CONFIG).is_file():
        raise DataError(
            f"this package was built without the encoder {WORD}",
            allowed=f"{WORD} where it is shipped, the folder of a model, models:/NAME@ALIAS, or hf:OWNER/NAME",
            fix="--model FOLDER, or in a clone: make encoder",
        )
    return FOLDER


def open_shipped() -> Pretrained:
    """Open the shipped encoder; DataError if this package was built without it or a file is damaged."""
    folder = require()
    try:
        return open_folder(folder, NAME)
    except DataError as error:
        raise DataError(error.problem, allowed=error.allowed, fix="install cgdmer again") from error


def load(_: Setup) -> Pretrained:
    """Open the shipped encoder for the pipeline; DataError if its files are not those that `DIGEST` names."""
    encoder = open_shipped()
    if encoder.digest != DIGEST:
        raise DataError(
            f"cgdmer/base holds the encoder {encoder.digest[:12]}",
            allowed=f"{DIGEST[:12] or 'none'}, which cgdmer/encoders/cgdmer_base.py names",
            fix=f'set DIGEST = "{encoder.digest}" in cgdmer/encoders/cgdmer_base.py',
        )
    return encoder
