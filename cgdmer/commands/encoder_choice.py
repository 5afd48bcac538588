"""Which encoder a command uses: the one that `--model` names, else that of the project, else the shipped one."""

import logging
from pathlib import Path

from cgdmer import environment, paths
from cgdmer.encoders import cgdmer_base
from cgdmer.errors import ConfigError
from cgdmer.models import weights
from cgdmer.probing.linear_probe_io import SUFFIX
from cgdmer.sharing import about
from cgdmer.tables import TASKS

log = logging.getLogger(__name__)


def choose(model: str | None) -> str:
    """Return the name of the encoder, for `load_encoder`.

    A project that has pretrained its own encoder goes on using that one; anywhere else it is the shipped one.
    ConfigError if CGDMER_DEVICE names a GPU that this machine lacks.
    """
    check_device()
    if model is not None:
        return model
    chosen = default()
    shipped = chosen == cgdmer_base.WORD
    why = (
        "it is shipped with this package"
        if shipped
        else f"--model {cgdmer_base.WORD} is the one that this package ships"
    )
    log.info("no --model is named: the encoder is %s; %s", chosen, why)
    return chosen


def default() -> str:
    """Return the name of the project's own encoder, or of the shipped one if there is none."""
    return str(paths.MODEL) if (paths.MODEL / weights.CONFIG).is_file() else cgdmer_base.WORD


def check_device() -> None:
    """Raise ConfigError if CGDMER_DEVICE names a GPU that this machine lacks."""
    import torch

    device = environment.read().device
    number, present = int(device.partition(":")[2] or 0), torch.cuda.device_count()
    if device.startswith("cuda") and number >= present:
        raise ConfigError(
            f"CGDMER_DEVICE={device}, and torch {torch.__version__} sees {present} GPUs",
            allowed=", ".join(["auto", "cpu", *(f"cuda:{place}" for place in range(present))]),
            fix="export CGDMER_DEVICE=auto; or nvidia-smi, and a torch built for this GPU",
        )


def folder(model: str) -> Path | None:
    """Return the folder of an encoder; None for one of the registry or a hub."""
    if model == cgdmer_base.WORD:
        return cgdmer_base.FOLDER
    return None if model.startswith(("models:/", "hf:")) else Path(model)


def packaged_probes(model: str) -> list[Path]:
    """Return the probes that were packaged with an encoder, in the order of their tasks; [] without any."""
    inside = folder(model)
    stated = about.read(inside) if inside else None
    if inside is None or stated is None:
        return []
    return [inside / about.PROBES / f"{task}{SUFFIX}" for task in TASKS if task in stated.probes]
