"""`cgdmer export`: an encoder as a folder of the Hugging Face hub, and as an ONNX graph."""

from pathlib import Path

from cgdmer import paths
from cgdmer.files import read_json
from cgdmer.metrics_json import Metrics
from cgdmer.sharing import card, folder


def describe(model: Path, target: Path, *, licence: str, onnx: bool) -> str:
    """Export the model in a folder and return what was written."""
    metrics = Metrics.from_json(read_json(paths.METRICS)) if paths.METRICS.is_file() else None
    folder.save(model, target, card.write(model, target.name, licence, metrics))
    lines = [f"{target}: {', '.join(sorted(path.name for path in target.iterdir()))}"]
    if onnx:
        from cgdmer.sharing import onnx as graphs

        encoder = folder.load(target)
        difference = graphs.export(encoder, target / graphs.FILE)
        lines.append(
            f"{target / graphs.FILE}: {', '.join(encoder.dims)}; differs from the encoder by {difference:.1g} at most"
        )
    lines.append(f"to share it: hf upload OWNER/NAME {target}; to load it: cgdmer.load_encoder('hf:OWNER/NAME')")
    return "\n".join(lines)
