"""`cgdmer export`: an encoder as a folder of the Hugging Face hub, and as an ONNX graph."""

import logging
from pathlib import Path

from cgdmer import paths
from cgdmer.commands import encoder_choice
from cgdmer.encoders import cgdmer_base
from cgdmer.files import named, new_folder, read_json
from cgdmer.metrics_json import Metrics
from cgdmer.sharing import about, card, folder, packaged_card

OTHER = "other"
"""What the hub calls a licence that it does not know."""
log = logging.getLogger(__name__)


def describe(model: str | None, target: Path, *, licence: str | None, onnx: bool) -> str:
    """Export the model in a folder, or `cgdmer-base`, into a new folder, and return what was written.

    Without `model`, it is the project's own encoder, or the shipped one. The folder appears complete or not at all. A
    packaged encoder keeps the numbers of its own card, and its licence unless another is named.
    """
    model = encoder_choice.default() if model is None else model
    source = cgdmer_base.require() if model == cgdmer_base.WORD else Path(model)
    with named(paths.METRICS, f"git checkout {paths.METRICS}; or dvc repro --force --single-item report"):
        metrics = Metrics.from_json(read_json(paths.METRICS)) if paths.METRICS.exists() else None
    with new_folder(target) as temporary:
        stated = about.read(source)
        text = (
            packaged_card.text(source, target.name, stated, licence or packaged_card.LICENCE, copied=True)
            if stated
            else card.text(source, target.name, licence or OTHER, metrics)
        )
        folder.save(source, temporary, text)
        lines = [f"{target}: {model} as {', '.join(sorted(path.name for path in temporary.iterdir()))}"]
        if onnx:
            from cgdmer.sharing import onnx as graphs

            log.info("%s: writing the graph and comparing its features", target)
            encoder = folder.load(temporary)
            difference = graphs.export(encoder, temporary / graphs.FILE)
            kinds = ", ".join(encoder.dims)
            lines.append(f"{target / graphs.FILE}: {kinds}; differs from the encoder by {difference:.1g} at most")
    lines.append(f"to share it: hf upload OWNER/NAME {target}; to load it: cgdmer.load_encoder('hf:OWNER/NAME')")
    return "\n".join(lines)
