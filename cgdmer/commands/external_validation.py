"""`cgdmer external-validation`: evaluate pretrained encoders on every set of real recordings at hand.

Reads the sets below one folder, encodes them with the encoder in data/models/pretrain, or those that `--encoders`
names, and with the controls of params.yaml, and writes reports/real.json. Nothing is trained but linear probes. A set
that is not there is left out. After a kill, sets that were done are reused.
"""

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from cgdmer import environment, paths, settings, stage_code
from cgdmer.archives.locate import versions
from cgdmer.commands import real_tasks
from cgdmer.commands.encoder_choice import check_device
from cgdmer.commands.real_methods import Method, open_methods, probe_files
from cgdmer.commands.real_tasks import encode, score
from cgdmer.errors import ConfigError, DataError
from cgdmer.external import benchmarks, code15, few_labels, ludb, scoring
from cgdmer.external.external_set import ExternalSet
from cgdmer.external.results import RealResult, RealSet
from cgdmer.files import named, read_json, sha256, work_key, write_json
from cgdmer.probing.patients import FOLDS
from cgdmer.settings import Signal
from cgdmer.version import __version__

log = logging.getLogger(__name__)

LIBRARIES = ("numpy", "scipy", "torch")


@dataclass(frozen=True)
class Source:
    """How one set is found and read."""

    hint: str
    """What a folder of the set holds."""
    find: Callable[[Path], list[Path]]
    read: Callable[[list[Path], settings.Settings, Signal, Path], ExternalSet]


def _read_first(
    module_read: Callable[[Path, Signal], ExternalSet], found: list[Path], _: settings.Settings, form: Signal, __: Path
) -> ExternalSet:
    return module_read(found[0], form)


def _below(holds: Callable[[Path], bool], root: Path) -> list[Path]:
    """Return `root` or the folders directly in it that hold a set, also one for a version, as mirrors have them."""
    folders = [path for path in [root, *sorted(root.iterdir())] if path.is_dir()]
    searched = dict.fromkeys(path for folder in folders for path in _with_versions(folder))
    return [path for path in searched if holds(path)]


def _with_versions(folder: Path) -> list[Path]:
    """Return a folder and the folders of versions in it; none, with a warning, if it cannot be listed."""
    try:
        return [folder, *versions(folder)]
    except OSError as error:
        log.warning("%s is not searched: %s", folder, error.strerror)
        return []


def _benchmark(name: str, hint: str) -> Source:
    return Source(hint, partial(benchmarks.copies, name), partial(benchmarks.read, name))


SOURCES = {
    "ptb_xl": _benchmark("ptb_xl", "ptbxl_database.csv"),
    "ludb": Source("ludb.csv and data/", partial(_below, ludb.holds), partial(_read_first, ludb.read)),
    "cpsc2018": _benchmark("cpsc2018", "training/cpsc_2018/ or TrainingSet/"),
    "csn": _benchmark("csn", "WFDBRecords/"),
    "code15": Source(f"{code15.TABLE} and records/", partial(_below, code15.holds), partial(_read_first, code15.read)),
}
"""In the order of tables."""


def validate(
    root: Path | None, params: Path = Path("params.yaml"), encoders: Sequence[str] = ("cgdmer",)
) -> RealResult:  # fmt: skip
    """Evaluate on all sets below `root` (CGDMER_RAW_ROOT if None), write reports/real.json and return the result.

    The first of the pretrained `encoders` is the one that is compared with the others and the controls.
    """
    root = find_root(root)
    config = settings.load(params)
    found = {name: copies for name, source in SOURCES.items() if (copies := source.find(root))}
    if not found:
        raise DataError(
            f"{root} holds none of the sets {', '.join(SOURCES)}",
            allowed="; ".join(f"{name}: a folder with {source.hint}" for name, source in SOURCES.items()),
            fix="python -m cgdmer external-validation --root /folder/with/the/sets",
        )
    absent = [name for name in SOURCES if name not in found]
    for name in absent:
        log.warning("%s: left out, because %s holds no folder with %s", name, root, SOURCES[name].hint)
    check_device()
    methods = open_methods(encoders)
    first = methods[encoders[0]]
    architecture = {"model": first.encoder.model.settings}  # the controls have that of the weights
    config = config.model_copy(update=architecture)
    sets = {name: evaluate(name, copies, config, methods) for name, copies in found.items()}
    result = RealResult(
        sets, absent, FOLDS, config.probe.bootstrap, scoring.FEWEST, sha256(first.weights)[:16], first.pretrained_on,
        {"cgdmer": __version__, **{name: version(name) for name in LIBRARIES}}, encoders[0],
    )  # fmt: skip
    write_json(paths.real(), result.to_json())
    shutil.rmtree(paths.scratch("real"), ignore_errors=True)
    return result


def find_root(root: Path | None) -> Path:
    """Return the folder with the sets; ConfigError if none is named or it is no folder."""
    root = root or environment.read().raw_root
    if root is None or not root.is_dir():
        raise ConfigError(
            f"{root} is not a folder" if root else "no folder with real recordings is named",
            allowed="a folder that holds copies of the sets, each in a folder or zip of its own",
            fix="python -m cgdmer external-validation --root /folder/with/the/sets",
        )
    return root


def read(name: str, copies: list[Path], config: settings.Settings, form: Signal) -> ExternalSet:
    """Read one set; DataError if it is damaged or none of its records can be used."""
    work, fix = paths.scratch("real", name), f"get {name} again, or take it out of the folder"
    shutil.rmtree(work, ignore_errors=True)
    with named(copies[0], fix):
        real = SOURCES[name].read(copies, config, form, work)
    shutil.rmtree(work, ignore_errors=True)
    if not len(real.signals):
        lost = "; ".join(f"{count} {reason}" for reason, count in real.left_out.items() if count)
        raise DataError(f"no record of {copies[0]} can be used: {lost}", fix=fix)
    return real


def evaluate(name: str, copies: list[Path], config: settings.Settings, methods: Mapping[str, Method]) -> RealSet:
    """Read one set, encode it with all encoders, and score its tasks and measurements, unless that was done before."""
    real = read(name, copies, config, next(iter(methods.values())).encoder.form)
    done = paths.scratch("real") / f"{name}-{key(real, config, methods)}.json"
    if done.is_file():
        with named(done, f"rm {done}"):
            return RealSet.from_json(read_json(done))
    result = score(name, real, encode(real, config, methods), config, methods)
    write_json(done, result.to_json())
    return result


def key(real: ExternalSet, config: settings.Settings, methods: Mapping[str, Method]) -> str:
    """Return a hash of everything that decides the results of a set."""
    sections = [section.model_dump() for section in (config.probe, config.embed, config.model)]
    digests = {name: method.encoder.digest for name, method in methods.items()}
    controls = config.matrix.controls
    fitted = {task: {name: sha256(path) for name, path in probe_files(task, methods, controls).items()}
              for task in real.tasks}  # fmt: skip
    few = few_labels.SIZES, few_labels.DRAWS
    code = stage_code.digest({real_tasks.__name__, *(f"cgdmer.encoders.{name}" for name in (*methods, *controls))})
    return work_key(digests, real.digest(), controls, fitted, few, code, *sections)
