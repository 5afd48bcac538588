"""Stopping in good order: SIGTERM and SIGINT end training after the current step, with a checkpoint."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

import torch

from cgdmer.distributed import World

AGREE_STEPS = 10
"""Steps between two agreements among ranks on whether to stop."""
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupt:
    """Remembers a SIGTERM or SIGINT until the step is done. Outside the main thread, signals cannot be caught.

    A second SIGINT raises KeyboardInterrupt at once.
    """

    def __init__(self, world: World) -> None:
        self.world, self.name = world, ""

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.previous_handlers = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        if threading.current_thread() is threading.main_thread():
            for number, handler in self.previous_handlers.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)

    def agreed(self, done: int) -> bool:
        """Return True if training must stop now; ranks agree every `AGREE_STEPS` steps, so that they stop together."""
        if self.world.size == 1:
            return bool(self.name)
        if done % AGREE_STEPS:
            return False
        flag = torch.tensor(float(bool(self.name)), device=self.world.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return bool(flag)
