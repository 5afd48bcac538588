"""The served report encoder. MLflow loads this file and a folder of safetensors; nothing is pickled."""

from typing import Any

import numpy as np
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class ReportEncoder(PythonModel):
    """Maps report texts to the space of the aligned ECG features."""

    def load_context(self, context: Any) -> None:
        from cgdmer.api import load_encoder

        self.encoder = load_encoder(context.artifacts["model"])

    def predict(self, context: Any, model_input, params: dict[str, Any] | None = None) -> Any:  # type: ignore[no-untyped-def] # noqa: ANN001
        """Return unit vectors `(n, projection)` float32 for a column or list of texts."""
        from cgdmer.tracking import served_errors

        with served_errors.refusals():
            texts = np.asarray(model_input, dtype=object).ravel()
            return self.encoder.encode_reports([str(text) for text in texts])


set_model(ReportEncoder())
