"""Stage zero_shot: aligned ECG features + prompts -> AUROC with intervals, task by task, without any training."""

from cgdmer import embeddings, paths, protocol, report_text, settings, tables
from cgdmer.encoders.cgdmer import open_folder
from cgdmer.errors import DataError
from cgdmer.evaluation import zero_shot as scoring
from cgdmer.files import write_json
from cgdmer.probing.cohort import check_finite, cohort, tasks_of

ENCODER = "cgdmer"


def zero_shot(source: str, *, zero_shot: settings.ZeroShot) -> None:
    """Score every task of a source; DataError where the encoder has no aligned space or a class has no prompt."""
    found = embeddings.read(paths.embeddings(ENCODER, source))
    if "aligned" not in found.features:
        raise DataError(
            f"the embeddings of {source} have no 'aligned' features: the model was trained without reports",
            allowed=", ".join(sorted(found.features)),
            fix="set objective.contrastive above 0 in params.yaml, then: dvc repro",
        )
    aligned = found.features["aligned"]
    check_finite(aligned, found.ids, "aligned", source)
    path = protocol.prompts_path(paths.PROTOCOL) if zero_shot.prompts == "ckepe" else scoring.STATEMENTS
    prompts = scoring.read_prompts(path, zero_shot.prompts, zero_shot.ensemble)
    encoder = open_folder(paths.MODEL)
    index = tables.read(paths.index(source))
    for task in tasks_of(source):
        joined = cohort(task, index, found.ids)
        texts = scoring.texts_of(prompts, joined.classes)
        encoded = encoder.encode_reports([report_text.clean_joined(text) for several in texts for text in several])
        vectors = scoring.class_vectors(encoded, [len(several) for several in texts])
        write_json(paths.zero_shot(task), scoring.evaluate(joined, aligned, vectors, prompts, zero_shot.bootstrap))
