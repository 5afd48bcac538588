"""Stage zero_shot: aligned ECG features + prompts -> AUROC with intervals and saved scores per task; no training."""

from cgdmer import embeddings, paths, protocol, report_text, settings, tables
from cgdmer.encoders.pretrained import open_folder
from cgdmer.errors import DataError
from cgdmer.evaluation import zero_shot as evaluation
from cgdmer.files import write_json
from cgdmer.probing.cohort import check_finite, cohort, tasks_of

ENCODER = "cgdmer"


def zero_shot(source: str, *, zero_shot: settings.ZeroShot) -> None:
    """Score every task of a source; DataError if the encoder has no aligned features or a class has no prompt."""
    cached = embeddings.read(paths.embeddings(ENCODER, source))
    if "aligned" not in cached.features:
        raise DataError(
            f"the embeddings of {source} have no 'aligned' features: the model was trained without reports",
            allowed=", ".join(sorted(cached.features)),
            fix="set objective.contrastive above 0 in params.yaml, then: dvc repro",
        )
    aligned = cached.features["aligned"]
    check_finite(aligned, cached.ids, "aligned", source)
    path = protocol.prompts_path(paths.PROTOCOL) if zero_shot.prompts == "ckepe" else evaluation.STATEMENTS
    prompts = evaluation.read_prompts(path, zero_shot.prompts, zero_shot.ensemble)
    encoder = open_folder(paths.MODEL)
    index = tables.read(paths.index(source))
    for task in tasks_of(source):
        joined = cohort(task, index, cached.ids)
        texts = evaluation.texts_of(prompts, joined.classes)
        encoded = encoder.encode_reports([report_text.clean_joined(text) for ensemble in texts for text in ensemble])
        vectors = evaluation.class_vectors(encoded, [len(ensemble) for ensemble in texts])
        scores = evaluation.cosines(joined, aligned, vectors)
        tables.write(evaluation.predictions(joined, scores), paths.zero_shot_predictions(task))
        write_json(paths.zero_shot(task), evaluation.evaluate(joined, scores, prompts, zero_shot.bootstrap))
