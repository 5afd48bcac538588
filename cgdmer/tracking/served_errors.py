"""What a scoring server answers when it cannot serve a request: one sentence, and nothing of the server itself.

MLflow answers an unknown exception with a stack trace that holds paths of the server, and puts the data of the request
in front of the message of its own exceptions. So every error becomes a `Refusal`, which keeps its message.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE

from cgdmer.errors import CgdmerError

log = logging.getLogger(__name__)
LONGEST = 1000
"""Characters of the longest message."""


class Refusal(MlflowException):
    """An error whose message cannot be replaced, because MLflow would add the data of the request to it."""

    @property
    def message(self) -> str:
        """Return the sentence that the server answers."""
        return self._sentence

    @message.setter
    def message(self, text: str) -> None:
        if not hasattr(self, "_sentence"):
            self._sentence = text[:LONGEST]


def sentence(error: CgdmerError) -> str:
    """Return an error as one line: the problem, what is allowed, what fixes it."""
    more = [f"{word}: {text}" for word, text in (("allowed", error.allowed), ("to fix", error.fix)) if text]
    return f"{error.problem} ({'; '.join(more)})" if more else error.problem


@contextmanager
def refusals() -> Iterator[None]:
    """Turn every error of a block into a Refusal: status 400 if the request is wrong, 500 if the server failed."""
    try:
        yield
    except Refusal:
        raise
    except CgdmerError as error:
        raise Refusal(sentence(error), INVALID_PARAMETER_VALUE) from None
    except Exception as error:
        log.exception("a request failed")
        problem = f"the server failed with {type(error).__name__}; its log holds the details"
        raise Refusal(problem, INTERNAL_ERROR) from None
