"""Stage validate: index and shards of a corpus -> result and page of its expectations; a critical failure stops."""

import logging

from cgdmer import environment, paths, privacy
from cgdmer import validation as expectations
from cgdmer.files import write_json, write_text
from cgdmer.settings import Signal, Validation

logger = logging.getLogger(__name__)


def validate(source: str, *, validation: Validation, signal: Signal) -> None:
    """Write `result.json` and `index.html`; ValidationFailed (exit code 4) if a critical expectation failed."""
    result = expectations.assess(source, validation, signal, docs=environment.read().data_docs)
    if not privacy.allowed(validation.examples, [source]):
        result = privacy.withhold(result)
    folder = paths.validation(source)
    write_json(folder / "result.json", result)
    write_text(folder / "index.html", expectations.render(result))
    for entry in result["expectations"]:
        level = {"warning": logging.WARNING, "flagged": logging.INFO}.get(entry["state"])
        if level:
            logger.log(level, "%s: %s: %s rows. %s", source, entry["name"], entry["unexpected_count"], entry["says"])
    expectations.verdict(result)
