"""A training that is interrupted between two steps, as by Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cgdmer.training import checkpoint


@contextmanager
def interrupted_after_checkpoints(count: int) -> Iterator[None]:
    """Raise KeyboardInterrupt in the block once it has written so many checkpoints, and expect it."""
    save, written = checkpoint.save, []

    def interrupt(*arguments: object, **named: object) -> None:
        save(*arguments, **named)  # type: ignore[arg-type]
        written.append(1)
        if len(written) == count:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(checkpoint, "save", interrupt)
        yield
