"""A settings file of any content is refused within bounds: aliases, size, encoding, pipes and devices."""

import os

import pytest

from cgdmer import settings
from cgdmer.errors import ConfigError
from cgdmer.settings import bounded_yaml

NINE = ",".join(["*a{0}"] * 9)
ALIASES = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{NINE.format(n - 1)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{NINE.format(n - 1)}]}}\n" for n in range(1, 9))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ALIASES.encode(), "more than 100,000 values"),
        (MERGES.encode(), "more than 100,000 values"),
        (b"a: &a [*a]", "contains it"),
        ("matrix: 1".encode("utf-16"), "is not YAML in UTF-8"),
        (b"a: " + b"1" * 10_000, "is not YAML"),
        (b"when: 2020-13-45", "is not YAML"),
        (b"\0", "is not YAML"),
        (b"a: b\n" * 20_000, "more than 65,536 bytes"),
        (b"corpora: " + b"x" * 5000, "..."),
        (b"", "not a mapping"),
    ],
)
def test_a_hostile_file_is_refused(tmp_path, content, message):
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ConfigError) as error:
        settings.load(tmp_path / "params.yaml")
    assert message in str(error.value)
    assert len(str(error.value)) < 5000


def test_pipes_and_devices_are_no_settings(tmp_path):
    os.mkfifo(tmp_path / "params.yaml")
    for path in (tmp_path / "params.yaml", tmp_path):
        with pytest.raises(ConfigError, match="not a regular file"):
            settings.load(path)


def test_aliases_within_the_limit_are_used():
    assert bounded_yaml.load("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {
        "a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2},
    }  # fmt: skip
    assert bounded_yaml.load("") is None


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_numbers_are_finite(tmp_path, number):
    path = tmp_path / "params.yaml"
    path.write_text(f"train: {{lr: {number}}}")
    with pytest.raises(ConfigError, match=r"train\.lr"):
        settings.load(path)
