"""Owns the served ECG encoder: MLflow loads this file and a safetensors folder; nothing is pickled."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class EcgEncoder(PythonModel):
    """Maps ECGs `(B, 12, T)` in mV at the encoder's own rate to its representations."""

    def load_context(self, context: Any) -> None:
        from cgdmer import load_encoder

        self.encoder = load_encoder(context.artifacts["model"])

    def predict(self, context: Any, model_input: Any, params: dict[str, Any] | None = None) -> dict[str, np.ndarray]:
        """Return a mapping of representation to features `(B, D)` float32."""
        signal = model_input["signal"] if isinstance(model_input, dict) else model_input
        return dict(self.encoder.encode(np.asarray(signal, dtype=np.float32)))


set_model(EcgEncoder())
