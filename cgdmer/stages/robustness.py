"""Stage robustness: one encoder with fewer leads and on disturbed test records -> AUROC with intervals."""

from functools import partial

from cgdmer import embeddings, paths, settings, tables
from cgdmer.encoders import Setup, load
from cgdmer.encoders.present_leads import skipping_missing_leads
from cgdmer.encoders.processes import on_every_core
from cgdmer.errors import DataError
from cgdmer.evaluation import robustness as evaluation
from cgdmer.evaluation.disturbances import disturb, name_of
from cgdmer.evaluation.robustness_features import EmbeddedRecords, lead_set_name, select_leads
from cgdmer.files import write_json
from cgdmer.probing.cohort import check_finite, cohort, tasks_of
from cgdmer.shards import open_shards


def robustness(
    encoder: str, source: str, *, robustness: settings.Robustness, embed: settings.Embed, model: settings.Model,
    probe: settings.Probe, signal: settings.Signal,
) -> None:  # fmt: skip
    """Probe every task of a source; features of twelve clean leads are read from the cache, all others encoded here."""
    representation = robustness.representation
    cached = embeddings.read(paths.embeddings(encoder, source))
    if representation not in cached.features:
        raise DataError(
            f"encoder {encoder} has no representation '{representation}'",
            allowed=", ".join(sorted(cached.features)),
            fix="edit robustness.representation in params.yaml",
        )
    clean = cached.features[representation]
    check_finite(clean, cached.ids, representation, source)
    shards = open_shards(paths.shards(source), verify=True)
    by_leads, disturbed = {evaluation.CLEAN: clean}, {}
    loaded = skipping_missing_leads(load(encoder, Setup.of(signal, model, embed, embed.seed)))
    with on_every_core(loaded) as parallel:
        records = EmbeddedRecords(parallel, shards, source, cached.ids, embed.batch)
        for leads in robustness.lead_sets:
            by_leads[lead_set_name(leads)] = records.encode(representation, leads, partial(select_leads, leads=leads))
        for disturbance in robustness.disturbances:
            change = partial(disturb, disturbance=disturbance, form=signal, seed=robustness.seed)
            disturbed[name_of(disturbance)] = records.encode(representation, None, change, split="test")
    index = tables.read(paths.index(source))
    tasks = tasks_of(source)
    cohorts = [cohort(task, index, cached.ids) for task in tasks]
    results = evaluation.evaluate(cohorts, by_leads, disturbed, probe)
    for task, (result, predictions) in zip(tasks, results, strict=True):
        tables.write(predictions, paths.robustness_predictions(encoder, task))
        write_json(paths.robustness(encoder, task), {"encoder": encoder, "representation": representation, **result})
