"""The served ECG encoder. MLflow loads this file and a folder of safetensors; nothing is pickled."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class EcgEncoder(PythonModel):
    """Maps ECGs `(B, L, T)` in mV to the encoder's representations.

    With the parameter `fs` (Hz) the input is taken as recordings from WFDB: filtered, resampled and cut like every
    record the encoder was trained on. Without `fs` the input must be filtered already and have the encoder's own
    sampling rate. The parameter `leads` names the L rows if they are not the twelve standard leads in standard order.
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
        from cgdmer.signals import canonical

        form = self.encoder.form
        rows = [canonical(record, float(options["fs"]), leads, form, form.seconds) for record in signal]
        microvolt = np.stack([row.signal for row in rows]).astype(np.float32)
        return dict(self.encoder.encode(microvolt / 1000, valid=np.array([row.valid for row in rows])))


set_model(EcgEncoder())
