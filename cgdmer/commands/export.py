"""`cgdmer export`: an encoder as a folder of the Hugging Face hub, and as an ONNX graph."""

from pathlib import Path

from cgdmer import paths
from cgdmer.files import new_folder, read_json
from cgdmer.metrics_json import Metrics
from cgdmer.sharing import card, folder


def describe(model: Path, target: Path, *, licence: str, onnx: bool) -> str:
    """Export the model into a new folder, which appears complete or not at all, and return what was written."""
    metrics = Metrics.from_json(read_json(paths.METRICS)) if paths.METRICS.is_file() else None
    with new_folder(target) as temporary:
        folder.save(model, temporary, card.text(model, target.name, licence, metrics))
        lines = [f"{target}: {', '.join(sorted(path.name for path in temporary.iterdir()))}"]
        if onnx:
            from cgdmer.sharing import onnx as graphs

            encoder = folder.load(temporary)
            difference = graphs.export(encoder, temporary / graphs.FILE)
            kinds = ", ".join(encoder.dims)
            lines.append(f"{target / graphs.FILE}: {kinds}; differs from the encoder by {difference:.1g} at most")
    lines.append(f"to share it: hf upload OWNER/NAME {target}; to load it: cgdmer.load_encoder('hf:OWNER/NAME')")
    return "\n".join(lines)
