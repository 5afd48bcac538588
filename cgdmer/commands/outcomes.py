"""What a command for one's own recordings ends with: counts, the exit code, and what is said of them."""

from dataclasses import dataclass

from cgdmer.commands.outputs import SOME_REJECTED


@dataclass(frozen=True)
class Counts:
    """How many recordings were written, how many were rejected, and how many of the written are doubtful."""

    written: int
    rejected: int
    doubtful: int

    @property
    def code(self) -> int:
        """The exit code."""
        return SOME_REJECTED if self.rejected else 0

    def remarks(self, listed: object, quality: str) -> str:
        """Return the end of a sentence on what was written; `listed` is where rejected ones are."""
        text = f", {self.rejected} rejected: {listed}" if self.rejected else ""
        return text + (f", {self.doubtful} doubtful{quality}" if self.doubtful else "")
