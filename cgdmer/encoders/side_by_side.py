"""The method's encoder with its batches side by side on the CPU, where many records or sets of weights are encoded."""

from collections.abc import Sequence

import numpy as np

from cgdmer.encoders.base import check_signal
from cgdmer.encoders.batches import batch_size, encode_in_batches
from cgdmer.encoders.pretrained import Pretrained


class SideBySide(Pretrained):
    """A CG-DMER model that encodes small batches in parallel on the CPU, one thread each; a GPU takes all records."""

    def encode(
        self, signal: np.ndarray, leads: Sequence[str] | None = None, valid: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Encode float mV (B, L, T) as features (B, D) by name; ConfigError for a record shorter than one patch."""
        signal, _, valid = check_signal(signal, leads, valid, self.samples)

        def encode(rows: slice) -> dict[str, np.ndarray]:
            return super(SideBySide, self).encode(signal[rows], leads, valid[rows])

        batches = encode_in_batches(encode, len(signal), batch_size(self.device))
        return {name: np.concatenate([batch[name] for batch in batches]) for name in self.dims}
