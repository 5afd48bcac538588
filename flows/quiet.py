"""Owns the environment in which no tool phones home, and what else every process of ours is started with."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
"""The Makefile exports the same; a test holds them against each other."""


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment with this Python's programs first on the path, telemetry off, and `more`."""
    path: Mapping[str, str] = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return os.environ | path | TELEMETRY_OFF | more
