"""`python -m flows.repro [ARGUMENTS]`: `dvc repro`, with a faster writer of `dvc.lock`.

After each stage DVC parses and writes the whole of `dvc.lock` with a pure Python library that keeps comments: 1.3 s of
CPU for each of the demo's 59 stage calls, more than most of them need themselves. Here the file is read and written by
LibYAML. The bytes are the same: where LibYAML would write others, or the file has comments, DVC's own writer is used.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import yaml

Modify = Callable[..., AbstractContextManager[dict[str, Any]]]
"""DVC's `modify_yaml`: yields the content of a file and writes it, changed, when the block ends."""
LOCK = "dvc.lock"


class Dumper(yaml.CSafeDumper):
    """Writes as DVC does: an empty value for None, and no references to values that occur twice."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True, so that a value that occurs twice is written twice."""
        return True


Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))
Dumper.add_multi_representer(dict, lambda dumper, data: dumper.represent_mapping("tag:yaml.org,2002:map", data.items()))


def dump(data: dict[str, Any]) -> str:
    """Return the text of `dvc.lock` with this content, as LibYAML writes it."""
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def quick(own: Modify, dumps: Callable[[dict[str, Any]], str]) -> Modify:
    """Return `own`, DVC's `modify_yaml`, with a faster way for `dvc.lock`; `dumps` is how DVC writes YAML."""

    @contextmanager
    def modify(path: Any, fs: Any = None) -> Iterator[dict[str, Any]]:
        file = Path(path)
        text = file.read_text(encoding="utf-8") if file.name == LOCK and file.is_file() else ""
        data = yaml.CSafeLoader(text).get_single_data() if text else None
        if not data or set(data) != {"schema", "stages"} or dump(data) != text:
            with own(path, fs=fs) as content:
                yield content
            return
        before = dict(data["stages"])
        yield data
        changed = {name: stage for name, stage in data["stages"].items() if stage is not before.get(name)}
        if set(data) == {"schema", "stages"} and dumps(changed) == dump(changed):
            file.write_text(dump(data), encoding="utf-8")
            return
        with own(path, fs=fs) as content:  # its values of unchanged stages, because LibYAML reads 1e-05 as text
            unchanged = content["stages"]
            content.update(data)
            content["stages"] = {name: changed.get(name, unchanged.get(name)) for name in data["stages"]}

    return modify


def main(arguments: list[str]) -> int:
    """Run `dvc repro` with these arguments and return its exit code."""
    from dvc import cli, dvcfile  # type: ignore[import-untyped]
    from dvc.utils.serialize import dumps_yaml  # type: ignore[import-untyped]

    dvcfile.modify_yaml = quick(dvcfile.modify_yaml, dumps_yaml)
    code: int = cli.main(["repro", *arguments])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
