"""Some options change what training reads in this process only, so no other process may train."""

from cgdmer import environment
from cgdmer.errors import ConfigError


def require(option: str) -> None:
    """Raise ConfigError if other processes would train."""
    if environment.read().devices != "1":
        raise ConfigError(
            f"{option} trains in one process, and CGDMER_DEVICES={environment.read().devices}",
            allowed="1",
            fix="export CGDMER_DEVICES=1",
        )
