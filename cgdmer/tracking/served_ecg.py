"""The served ECG encoder. MLflow loads this file and a folder of safetensors; nothing is pickled."""

from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class EcgEncoder(PythonModel):
    """Maps ECGs in mV to the encoder's representations; a record that cannot be used is answered with its reason.

    The input is a list of records: `(L, T)` each, as nested lists, arrays, or base64 of an `.npy` file; they may differ
    in length. With the parameter `fs` (Hz) they are taken as recordings from WFDB: filtered, resampled and cut like
    every record the encoder was trained on. Without `fs` they must be filtered already and have the encoder's own
    sampling rate. The parameter `leads` names the L rows if they are not the twelve standard leads in standard order.
    """

    def load_context(self, context: Any) -> None:
        from cgdmer.api import load_encoder

        self.encoder = load_encoder(context.artifacts["model"])

    def predict(self, context: Any, model_input, params: dict[str, Any] | None = None) -> Any:  # type: ignore[no-untyped-def] # noqa: ANN001
        """Return representation to features `(B, D)` float32, and `valid`, `reason` and `quality` of each record."""
        from cgdmer.tracking import served_errors, served_records

        with served_errors.refusals():
            return served_records.answer(self.encoder, model_input, params or {})


set_model(EcgEncoder())
