"""The ablations in README.md are those of reports/ablations/: every label fraction and zero-shot, favourable or not.

`python tests/test_documents_of_ablations.py` writes them after `make ablations`.
"""

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cgdmer.ablation_results import FORMAT, Ablation
from cgdmer.evaluation import ablations as study
from cgdmer.report import ablations, table

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- ablations -->\n).*?(<!-- end of ablations -->)", re.S)
NONE = "No rows of this version are committed: run the command for rows of your own.\n"


def block(contents: Mapping[str, Any]) -> str:
    """Return the text for README.md from the contents of the files, by method."""
    rows = {name: Ablation.from_json(content) for name, content in contents.items() if content.get("format") == FORMAT}
    if not rows:
        return NONE
    order = ["full", *sorted(set(rows) - {"full"})]
    rows = study.adjust({name: rows[name] for name in order if name in rows})
    seeds = ", ".join(str(seed) for seed in rows["full"].pretraining_seeds)
    head = f"Macro AUROC, mean over tasks, and the difference from the full method; pretrained under the seeds {seeds}:"
    lines = "\n".join(f"- {line}" for line in [*ablations.sentences(rows), *ablations.single(rows)])
    return f"{head}\n\n{table.grid(ablations.summary(rows))}\n\n{lines}\n"


def committed() -> dict[str, Any]:
    """Return the committed rows: `make ablations` on another CPU rounds differently and replaces the files."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"git does not show the committed rows: {done.stderr.strip()}")
        return done.stdout

    files = [line for line in git("ls-tree", "--name-only", "HEAD", "reports/ablations/").splitlines()
             if line.endswith(".json")]  # fmt: skip
    return {Path(file).stem: json.loads(git("show", f"HEAD:{file}")) for file in files}


def test_the_readme_holds_the_committed_ablations():
    text = BLOCK.search(README.read_text())
    assert text, "README.md has lost the comments around its ablations"
    assert text.group(0) == f"<!-- ablations -->\n{block(committed())}<!-- end of ablations -->", (
        "python tests/test_documents_of_ablations.py"
    )


def test_the_block_follows_from_the_rows():
    cell = {"mean": 0.7, "low": 0.6, "high": 0.8, "n_test": 9, "seeds": 1, "protocol": "canonical", "by_weights": [0.7]}
    apart = {"mean": 0.02, "low": 0.01, "high": 0.03, "n_test": 9, "p": 0.004, "detectable": 0.03}
    common = {"format": FORMAT, "key": "0", "does": "", "overrides": {}, "made": {"params": "", "data": "", "code": {}},
              "pretraining_seeds": [8], "full_seeds": [8], "threads": 1, "representation": "pooled", "zero_shot": {},
              "auroc": {"mean": {"0.01": {"pooled": cell}}}}  # fmt: skip
    ahead = common | {"profile": "no_eyes", "differences": {"mean": {"0.01": {"headline": apart}}}}
    text = block({"no_eyes": ahead, "full": common | {"profile": "full"}, "old": {"key": "0"}})
    assert "under the seeds 8:" in text
    assert "| no eyes, pooled features, 1 pretraining | 0.700, +0.020 (+0.010 to +0.030), p 0.004 adjusted |" in text
    assert "better: no eyes +0.020;" in text
    assert block({"old": {"key": "0"}}) == NONE


if __name__ == "__main__":
    found = {path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "reports/ablations").glob("*.json"))}
    README.write_text(BLOCK.sub(lambda match: match.group(1) + block(found) + match.group(2), README.read_text()))
