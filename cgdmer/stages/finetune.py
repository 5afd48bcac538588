"""Stage finetune: pretrained or fresh ECG encoder + labels, all weights trained -> AUROC with intervals per task.

It is off by default and then only records that it is off.
"""

import shutil

from cgdmer import paths, settings, tables
from cgdmer.files import write_json
from cgdmer.probing.cohort import cohort, tasks_of
from cgdmer.shards import open_shards


def finetune(source: str, *, finetune: settings.Finetune) -> None:
    """Train and test every task of a source; after a kill, finished runs are not repeated."""
    first = tasks_of(source)[0]
    if not finetune.enabled:
        paths.predictions("finetune", first).parent.mkdir(parents=True, exist_ok=True)
        write_json(paths.finetuning(first).with_name("status.json"), {"enabled": False})
        return
    from cgdmer.finetuning.runs import evaluate, key

    shards = open_shards(paths.shards(source), verify=True)
    ids = shards.columns("id")["id"].to_list()
    index = tables.read(paths.index(source))
    work = paths.scratch("finetune", source)
    folder = work / key(shards, index, finetune)
    for task in tasks_of(source):
        result, predictions = evaluate(cohort(task, index, ids), shards, finetune, folder / task)
        tables.write(predictions, paths.predictions("finetune", task))
        write_json(paths.finetuning(task), {"enabled": True, **result.to_json()})
    shutil.rmtree(work, ignore_errors=True)
