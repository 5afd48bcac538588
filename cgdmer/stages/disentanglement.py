"""Stage disentanglement: held-out records -> what the shared and the specific features of the ECG hold."""

import numpy as np

from cgdmer import paths, settings
from cgdmer.encoders.encoding import encode_rows
from cgdmer.encoders.pretrained import open_folder
from cgdmer.evaluation import disentanglement as evaluation
from cgdmer.evaluation.held_out import draw
from cgdmer.evaluation.reconstruction_errors import reconstruction_errors
from cgdmer.files import read_json, write_json
from cgdmer.results import DisentanglementResult
from cgdmer.shards import concatenate, open_shards

BATCH = 256
REPRESENTATIONS = ("shared", "specific", "pooled")


def disentanglement(*, disentanglement: settings.Disentanglement) -> None:
    """Fit probes on training records and measure them on test records; a hash of their ids draws both."""
    sources = sorted(read_json(paths.PRETRAINING_SET)["sources"])
    shards = concatenate([open_shards(paths.shards(source), verify=True) for source in sources])
    encoder = open_folder(paths.MODEL)
    fitted = draw(shards, "train", disentanglement.train_records)
    measured = draw(shards, "test", disentanglement.test_records)
    texts = [records["report"].to_list() for records in (fitted, measured)]
    names, *labels = evaluation.labels(texts[0], texts[1], disentanglement.min_reports)
    content = {}
    if names:
        features = [
            encode_rows(
                encoder, shards, records["row"].to_numpy().astype(np.int64), records["valid"].to_numpy(), BATCH,
                names=REPRESENTATIONS,
            )
            for records in (fitted, measured)
        ]  # fmt: skip
        content = evaluation.content(features[0], features[1], (labels[0], labels[1]), disentanglement.bootstrap)
    errors = reconstruction_errors(encoder.model.cpu(), shards, measured, BATCH)
    result = DisentanglementResult(
        n={"fitted": fitted.height, "measured": measured.height, "statements": len(names)},
        content=content,
        reconstruction=evaluation.rebuilt(errors, disentanglement.bootstrap),
        sources=sources,
    )
    write_json(paths.disentanglement(), result.to_json())
