"""The command line: parse the arguments, then make one call. Hyper-parameters are set in `params.yaml`, not here."""

import argparse
import logging
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence

from cgdmer.commands import completion, help_page, model_files, own_recordings, pipeline_results
from cgdmer.errors import CgdmerError, DataError, not_installed, printable
from cgdmer.operations import arguments as operations
from cgdmer.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 only if everything that was asked for is done."""
    options = parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    logging.getLogger("cgdmer").setLevel(logging.WARNING if options.quiet else logging.INFO)
    try:
        code: int = COMMANDS[options.command](options)
        return code
    except CgdmerError as error:
        return fail(error)
    except ModuleNotFoundError as error:
        if explained := not_installed(error):
            return fail(explained)
        raise
    except BrokenPipeError:
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return fail(DataError(f"{where}{error.strerror or error}", fix="check the path, its permissions and the disk"))
    except KeyboardInterrupt:
        return 130


def fail(error: CgdmerError) -> int:
    """Print an error and return its exit code."""
    print(f"cgdmer: {printable(str(error))}", file=sys.stderr)
    return error.code


def parser() -> help_page.TopParser:
    """Build the parser without importing anything heavy, so that --help is instant."""
    top = help_page.TopParser(prog="cgdmer", description="Disentangled ECG and report encoders, end to end.")
    top.add_argument("-V", "--version", action="version", version=f"cgdmer {__version__}")
    top.add_argument("-q", "--quiet", action="store_true", help=help_page.QUIET_HELP)
    subparsers = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=ArgumentParser)
    top.commands = commands = help_page.Commands(subparsers)
    own_recordings.add_commands(commands)
    _add_pipeline(commands)
    _add_evaluation(commands)
    model_files.add_commands(commands)
    operations.add_commands(commands)
    doctor = commands.add_parser("doctor", help="check this machine and show which command fixes each problem")
    doctor.add_argument("--profile", metavar="NAME", help="prove too that this machine can run params/NAME.yaml")
    pipeline_results.add_commands(commands)
    commands.add_parser(
        "train-encoder", help="train the encoder that the package ships, from params/encoder.yaml; resumes after a kill"
    )
    replay = commands.add_parser("replay", help="repeat a pretraining step whose loss was not finite")
    replay.add_argument("folder", metavar="FOLDER", help="the dump that the error message names")
    shell = commands.add_parser("completion", help="print a script that completes commands and options in a shell")
    shell.add_argument("shell", choices=completion.SHELLS, help='for example: eval "$(cgdmer completion bash)"')
    return top


def _add_pipeline(commands: help_page.Commands) -> None:
    run = commands.add_parser("run", help="run one stage of the pipeline outside DVC")
    run.add_argument("stage", metavar="STAGE", help="acquire, index, shards, validate, pretrain, ...")
    run.add_argument("items", metavar="ITEM", nargs="*", help="the source of the stage, or its encoder and source")
    pipeline = commands.add_parser("pipeline", help="run all stages as dvc repro does, one on each CPU core")
    pipeline.add_argument(
        "-j", "--jobs", type=int, metavar="N", help="stages at a time; default: one per core, at most 4"
    )
    check = commands.add_parser("check", help="show what a corpus lacks, where to get it, or which records failed")
    check.add_argument("source", metavar="SOURCE", help="a corpus of params.yaml, for example ptb_xl")
    check.add_argument("--failed", metavar="EXPECTATION", help="list the records that failed this expectation")
    profile = commands.add_parser(
        "profile", help="apply the settings of params/NAME.yaml to params.yaml, which keeps your edits"
    )
    profile.add_argument("name", metavar="NAME", help="demo, or the name of a file in params/")
    conflict = profile.add_mutually_exclusive_group()
    conflict.add_argument(
        "--keep", dest="resolution", action="store_const", const="keep",
        help="keep your value of a key that both you and the profile set",
    )  # fmt: skip
    conflict.add_argument(
        "--discard", dest="resolution", action="store_const", const="discard",
        help="take the profile's value of a key that both you and the profile set; the demo sets all keys",
    )  # fmt: skip
    commands.add_parser("table", help="print the main table, and how far it is from the committed one")


def _add_evaluation(commands: help_page.Commands) -> None:
    commands.add_parser(
        "cross-validation", aliases=["folds"], help="cross-validate on a local PTB-XL, continuing training in each fold"
    )
    external = commands.add_parser(
        "external-validation", help="evaluate the pretrained encoder on every set of real recordings at hand"
    )
    external.add_argument(
        "--root", metavar="FOLDER", help="folder that holds the sets, each in its own folder; default: CGDMER_RAW_ROOT"
    )
    external.add_argument(
        "--encoders", metavar="NAME,NAME", default="cgdmer",
        help="pretrained encoders: cgdmer (data/models/pretrain) and cgdmer_base (shipped); the first is compared with "
        "the others; default: %(default)s",
    )  # fmt: skip
    attentive = commands.add_parser(
        "attentive-probe", help="probe frozen encoders with a learned attention pool over their tokens"
    )
    attentive.add_argument(
        "--encoders", metavar="NAME,NAME", help="default: those of matrix.probed in params.yaml that give tokens"
    )
    attentive.add_argument("--tasks", metavar="TASK,TASK", help="default: all tasks of matrix.benchmarks")


def run(options: argparse.Namespace) -> int:
    from cgdmer import settings, stages

    stages.call(options.stage, options.items, settings.load())
    return 0


def pipeline(options: argparse.Namespace) -> int:
    from cgdmer.commands import pipeline

    print(pipeline.reproduce(options.jobs))
    return 0


def check(options: argparse.Namespace) -> int:
    from cgdmer import settings
    from cgdmer.commands import check

    complete, text = check.describe(options.source, options.failed, settings.load())
    print(text)
    return 0 if complete else 3


def profile(options: argparse.Namespace) -> int:
    from cgdmer.commands import profile

    print(profile.switch(options.name, options.resolution))
    return 0


def own(options: argparse.Namespace) -> int:
    code, text = own_recordings.run(options)
    print(printable(text))
    return code


def complete(options: argparse.Namespace) -> int:
    top = parser()
    print(completion.script(options.shell, top, top.commands.parsers, __version__), end="")
    return 0


def view(options: argparse.Namespace) -> int:
    from cgdmer.commands import page_arguments

    with own_recordings.ending_cleanly():
        return page_arguments.run_view(options, lambda text: print(printable(text), flush=True))


def models(options: argparse.Namespace) -> int:
    print(model_files.run(options))
    return 0


def doctor(options: argparse.Namespace) -> int:
    from cgdmer.commands.doctor import examine

    healthy, text = examine(options.profile)
    print(text)
    return 0 if healthy else 1


def results(options: argparse.Namespace) -> int:
    code, text = pipeline_results.run(options)
    print(text)
    return code


def cross_validation(_: argparse.Namespace) -> int:
    from cgdmer.commands.cross_validation import cross_validate
    from cgdmer.report.cross_validation import markdown

    print(markdown(cross_validate()), end="")
    return 0


def external_validation(options: argparse.Namespace) -> int:
    from pathlib import Path

    from cgdmer.commands.external_validation import validate
    from cgdmer.report.real import headline

    root = Path(options.root) if options.root else None
    print(headline(validate(root, encoders=tuple(options.encoders.split(",")))))
    return 0


def attentive_probe(options: argparse.Namespace) -> int:
    from cgdmer.commands.attentive_probe import probe
    from cgdmer.report.attentive import headline

    encoders, tasks = (given.split(",") if given else () for given in (options.encoders, options.tasks))
    print(headline(probe(encoders, tasks)))
    return 0


def train_encoder(_: argparse.Namespace) -> int:
    from cgdmer.commands import train_encoder

    print(train_encoder.train())
    return 0


def replay(options: argparse.Namespace) -> int:
    from pathlib import Path

    from cgdmer import settings
    from cgdmer.commands import replay

    print(replay.describe(Path(options.folder), settings.load()))
    return 0


def table(_: argparse.Namespace) -> int:
    from cgdmer import paths
    from cgdmer.commands import provenance, reproduction
    from cgdmer.files import named, read_json
    from cgdmer.report import headline

    if not paths.METRICS.exists():
        raise DataError(f"{paths.METRICS} is missing", fix="dvc repro report")
    with named(paths.METRICS, f"git checkout {paths.METRICS}; or dvc repro --force --single-item report"):
        metrics = read_json(paths.METRICS)
        texts = [headline(metrics), reproduction.summary()]
    if provenance.of_sources(metrics.get("data", [])) == provenance.SIMULATED:
        texts.insert(1, "All recordings are SIMULATED: no number above says anything about patients.")
    print("\n\n".join(filter(None, texts)))
    print(f"\nThe benchmark page: {paths.REPORT_HTML.resolve().as_uri()}")
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "pipeline": pipeline,
    "check": check,
    "profile": profile,
    "embed": own,
    "score": own,
    "fit": own,
    "plot": own,
    "measure": own,
    "similar": own,
    "report": own,
    "view": view,
    "convert": models,
    "export": models,
    "package": models,
    "serve": operations.run,
    "monitor": operations.run,
    "doctor": doctor,
    "publish": results,
    "promote": results,
    "rollback": results,
    "costs": results,
    "reproduce": results,
    "cross-validation": cross_validation,
    "folds": cross_validation,
    "external-validation": external_validation,
    "attentive-probe": attentive_probe,
    "train-encoder": train_encoder,
    "replay": replay,
    "table": table,
    "completion": complete,
}
