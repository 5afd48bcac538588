"""The commands for files of models: their arguments, and one call for each."""

import argparse
from pathlib import Path
from typing import Any


def add_commands(commands: Any) -> None:
    """Add the commands to the parser of the command line."""
    convert = commands.add_parser(
        "convert", help="convert a published checkpoint to safetensors without running its code"
    )
    convert.add_argument("file", metavar="FILE", help="a checkpoint: .pt, .pth, .bin, .ckpt or .safetensors")
    convert.add_argument("--encoder", required=True, metavar="NAME", help="the published encoder, for example ecg_fm")
    convert.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder for weights and card")
    convert.add_argument(
        "--allow-pickle", action="store_true",
        help="read a file that holds more than tensors in an isolated process, which loads none of its classes",
    )  # fmt: skip
    export = commands.add_parser("export", help="write an encoder as a folder of the Hugging Face hub, and as ONNX")
    export.add_argument(
        "model", metavar="MODEL", nargs="?",
        help="folder of the model, or cgdmer-base; default: data/models/pretrain if it is there, else cgdmer-base",
    )  # fmt: skip
    export.add_argument("-o", "--output", required=True, metavar="FOLDER", help="a new folder; its name is the model's")
    export.add_argument("--onnx", action="store_true", help="add encoder.onnx, compared with the encoder")
    export.add_argument(
        "--licence", help="licence of the weights for the card; default: mit for a packaged encoder, else other"
    )
    package = commands.add_parser("package", help="make a trained model the encoder cgdmer-base of this package")
    package.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        default="data/models/base",
        help="folder of the model; default: %(default)s",
    )
    package.add_argument("-o", "--output", metavar="FOLDER", help="where to write it; default: into this package")
    renewed = package.add_mutually_exclusive_group()
    renewed.add_argument(
        "--card", action="store_true", help="add the results of external-validation to the card; train and fit nothing"
    )
    renewed.add_argument(
        "--references", action="store_true",
        help="score the test records again for the percentiles of `score`; train and fit nothing",
    )  # fmt: skip


def run(options: argparse.Namespace) -> str:
    """Run a command and return what it prints."""
    return {"convert": _convert, "export": _export, "package": _package}[options.command](options)


def _convert(options: argparse.Namespace) -> str:
    from cgdmer.commands import convert

    file, folder = Path(options.file), Path(options.output)
    return convert.describe(file, options.encoder, folder, isolate=options.allow_pickle)


def _export(options: argparse.Namespace) -> str:
    from cgdmer.commands import export

    return export.describe(options.model, Path(options.output), licence=options.licence, onnx=options.onnx)


def _package(options: argparse.Namespace) -> str:
    from cgdmer.commands import package
    from cgdmer.encoders import cgdmer_base

    target = Path(options.output) if options.output else cgdmer_base.FOLDER
    if options.card or options.references:
        return package.renew_card(target) if options.card else package.renew_references(target)
    return package.package(Path(options.model), target)
