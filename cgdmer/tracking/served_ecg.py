"""The served ECG encoder. MLflow loads this file and a folder of safetensors; nothing is pickled."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class EcgEncoder(PythonModel):
    """Maps ECGs `(B, L, T)` in mV to the encoder's representations; values that cannot be mV are an error.

    With the parameter `fs` (Hz) the input is taken as recordings from WFDB: filtered, resampled and cut like every
    record the encoder was trained on. Without `fs` the input must be filtered already and have the encoder's own
    sampling rate. The parameter `leads` names the L rows if they are not the twelve standard leads in standard order.
    With `fs`, the answer also holds `quality`: what is doubtful about each recording, or `ok`.
    """

    def load_context(self, context: Any) -> None:
        from cgdmer.api import load_encoder

        self.encoder = load_encoder(context.artifacts["model"])

    def predict(self, context: Any, model_input, params: dict[str, Any] | None = None) -> Any:  # type: ignore[no-untyped-def] # noqa: ANN001
        """Return a dictionary from representation to features `(B, D)` float32."""
        signal, options = np.asarray(model_input, dtype=np.float32), params or {}
        leads = [str(name) for name in options.get("leads", self.encoder.leads)]
        if not options.get("fs"):
            return dict(self.encoder.encode(signal, leads))
        from cgdmer.recordings import plausibility
        from cgdmer.waveforms import Record

        form, fs = self.encoder.form, float(options["fs"])
        checked = [plausibility.checked(Record(one, fs, tuple(leads), []), form, form.seconds) for one in signal]
        microvolt = np.stack([row.signal for row, _ in checked]).astype(np.float32)
        features = self.encoder.encode(microvolt / 1000, valid=np.array([row.valid for row, _ in checked]))
        return {**features, "quality": np.array([plausibility.text(doubts) for _, doubts in checked])}


set_model(EcgEncoder())
