"""`cgdmer score`: zero-shot scores of recordings with prompts, and class probabilities from fitted probes."""

from dataclasses import replace

from cgdmer.commands import destinations, scorer
from cgdmer.commands.embed import Outcome, Request, claim, encode_all, output_metadata
from cgdmer.commands.findings import Findings
from cgdmer.commands.scorer import ScoreOptions

FORMATS = (".parquet", ".csv", ".xlsx")
NO_PROBABILITIES = "no percentiles: cosines with prompts have no reference recordings"


def score(request: Request, model: str | None, options: ScoreOptions) -> Outcome:
    """Write id, seconds, missing leads, quality, a cosine per prompt (`zero_shot/CLASS`) and a probability per class.

    `scorer.choose` says which encoder and probes are used. With `options.percentiles`, a percentile per probability
    is written too (`percentile/TASK/CLASS`). Return the outcome with the top findings of the first recordings.
    ConfigError for an unknown class, task or representation; DataError for a probe that was fitted for another encoder.
    """
    claim(request, FORMATS)
    choice = scorer.choose(model, options)
    destinations.check_inputs(request.output, choice.files)
    scoring = scorer.load(choice)
    described = output_metadata(request, scoring.encoder)
    scoring.own.check(scoring.encoder, described["seconds"], described["start"])
    if scoring.probes or scoring.classes:
        scoring.origin.warn()  # a probe of one's own labels is calibrated on one's own recordings
    references = scoring.references
    findings = Findings(scoring.tasks, scoring.own.names, references)
    outcome = encode_all(
        request, scoring.encoder, scoring.columns, scoring.metadata() | references.metadata(), findings.add,
        measurements=scoring.own.read_measurements, more=references.columns if options.percentiles else None,
    )  # fmt: skip
    compared = references.lines() or ([NO_PROBABILITIES] if options.percentiles else [])
    return replace(outcome, findings="\n".join(filter(None, [str(findings), *compared, scoring.own.text()])))
