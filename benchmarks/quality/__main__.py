"""Score variants of the method after a small fixed budget of training; one JSON line per variant.

Run: CGDMER_DEVICES=2 python -m benchmarks.quality [--quick | --long] [--pretrainings N] [VARIANT ...]
     CGDMER_DEVICES=1 python -m benchmarks.quality --first-line paper paper_contrastive_only paper_no_disentanglement
     CGDMER_DEVICES=1 python -m benchmarks.quality --tremor paper paper_contrastive_only paper_no_disentanglement

A VARIANT is `base`, the default, a name in benchmarks/quality/overlays, or a YAML file with settings over
params/encoder.yaml. Each is pretrained several times; its macro AUROC on the simulated tasks of params/probes.yaml at
1, 10 and 100 % of the labels, on the real PTB-XL records at hand, and its change on disturbed records are compared with
those of the first VARIANT. Intervals of differences contain records, label subsets and pretraining seeds. What is done
is kept in .cgdmer/quality, and is done again if the code behind it has changed. With `--first-line`, pretraining reads
only the line of each report that names the rhythm; with `--tremor`, every simulated record has tremor, in pretraining
and tasks.
"""

import argparse
import json
import logging
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

from benchmarks.quality import corpora, first_lines, results, scoring, tremor
from benchmarks.quality.variants import BASE, LONG, QUICK, find, known
from cgdmer import paths
from cgdmer.errors import CgdmerError

WORK = paths.STATE / "quality"
FIRST_LINE, TREMOR = "first_line", "tremor"
"""Options that change the data, and the folders of their results."""


def main() -> int:
    options = arguments()
    work = WORK / options.data
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    for name in ("cgdmer", "benchmarks"):
        logging.getLogger(name).setLevel(logging.INFO)
    try:
        budget = replace(LONG if options.long else QUICK, seeds=options.pretrainings)
        variants = [find(name, budget) for name in options.variants]
        base, form = None, variants[0].config(0).signal
        changed = {FIRST_LINE: first_lines.read_alone, TREMOR: partial(tremor.recorded, form)}
        with changed.get(options.data, nullcontext)():
            simulated, real = corpora.simulated(WORK), corpora.real(variants[0].config(0), work)
            if options.data == TREMOR:
                simulated = tremor.of_patients(simulated, form)
            for variant in variants:
                begin = time.monotonic()
                scored = scoring.score(variant, simulated, real, work)
                base = base or scored
                print(json.dumps(results.line(scored, base, real, time.monotonic() - begin)), flush=True)
    except CgdmerError as error:
        print(error, file=sys.stderr)
        return error.code
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__.splitlines()[0])
    parser.add_argument(
        "variants", nargs="*", default=[BASE], metavar="VARIANT",
        help=f"{BASE} (the default), a YAML file, or {', '.join(known())}; the first one is compared with the others",
    )  # fmt: skip
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help=f"{QUICK.passes:,} record passes, the default")
    size.add_argument("--long", action="store_true", help=f"{LONG.passes:,} record passes")
    parser.add_argument(
        "--pretrainings", type=int, choices=range(1, 11), default=QUICK.seeds, metavar="N",
        help=f"of each variant, 1 to 10 (default {QUICK.seeds})",
    )  # fmt: skip
    data = parser.add_mutually_exclusive_group()
    data.add_argument(
        "--first-line", dest="data", action="store_const", const=FIRST_LINE, default="",
        help="pretrain on the first line of each report",
    )  # fmt: skip
    data.add_argument(
        "--tremor", dest="data", action="store_const", const=TREMOR, help="all simulated patients tremble"
    )  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
