"""Stage code: which files every other stage runs, with their digests, so that an edit reruns those stages alone."""

from cgdmer import encoders, paths, settings, stage_code
from cgdmer.files import write_json
from cgdmer.stages import STAGES


def code(*, matrix: settings.Matrix) -> None:
    """Write `data/code/STAGE.json`, or `STAGE-ITEM.json` where an item decides, for each stage but this one.

    ConfigError for an encoder that does not exist.
    """
    for name in [*matrix.encoders, *matrix.controls, *matrix.robustness]:
        encoders.check_name(name)
    calls = stage_code.calls([stage for stage in STAGES if stage != "code"], matrix)
    for call, modules in calls.items():
        write_json(paths.code(call), stage_code.digests(modules))
    for path in paths.CODE.glob("*.json"):
        if path.stem not in calls:
            path.unlink()
