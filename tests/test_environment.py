"""CGDMER_* variables are checked when they are read."""

import pytest

from cgdmer import environment
from cgdmer.errors import ConfigError


def test_defaults(monkeypatch):
    here = environment.read()
    assert here.raw_root is None
    assert (here.device, here.executor) == ("auto", "processes")
    assert here.workers >= 1


def test_values_are_taken(monkeypatch, tmp_path):
    monkeypatch.setenv("CGDMER_RAW_ROOT", str(tmp_path))
    monkeypatch.setenv("CGDMER_WORKERS", "3")
    monkeypatch.setenv("CGDMER_TRACKING", "off")
    here = environment.read()
    assert (here.raw_root, here.workers, here.tracking) == (tmp_path, 3, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [("CGDMER_RAW_ROOT", "/no/such"), ("CGDMER_WORKERS", "0"), ("CGDMER_TRACKING", "no"), ("CGDMER_DEVICE", "gpu"),
     ("CGDMER_RAW_ROOT", "/dev/null"), ("CGDMER_RAW_ROOT", "~nobody9/x"), ("CGDMER_WORKERS", "\u00b2"),
     ("CGDMER_DEVICES", "\u00b2"), ("CGDMER_DEVICE", "cuda:\u0663"), ("CGDMER_DEVICES", "0")],
)  # fmt: skip
def test_a_wrong_variable_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        environment.read()
