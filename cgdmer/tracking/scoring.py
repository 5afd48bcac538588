"""MLflow's scoring server for a registered encoder, with a bound on the size of requests and plain messages."""

import json
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

from cgdmer.errors import ConfigError
from cgdmer.tracking import server
from cgdmer.tracking.served_errors import Refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
WRONG_INPUT = "SCHEMA_ENFORCEMENT_FAILED"
"""MLflow's class of errors whose message repeats the data of the request."""


class Bounded:
    """An ASGI application that answers 413 to a body of more than `limit` bytes and passes on every other request."""

    def __init__(self, app: App, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        body = b"" if not stated.isdigit() or int(stated) > self.limit else await self._body(receive)
        if body is None or not stated.isdigit() or int(stated) > self.limit:
            await _refuse(send, f"the request is larger than {self.limit:,} bytes; send fewer records at once")
            return
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self.app(scope, replay, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the whole body; None as soon as more than `limit` bytes have arrived."""
        blocks, size = [], 0
        while True:
            message = await receive()
            blocks.append(message.get("body", b""))
            size += len(blocks[-1])
            if size > self.limit:
                return None
            if not message.get("more_body"):
                return b"".join(blocks)


async def _refuse(send: Send, text: str) -> None:
    content = json.dumps({"error_code": "REQUEST_TOO_LARGE", "message": text}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": content})


class PlainModel:
    """A loaded model whose errors do not repeat the data of the request."""

    def __init__(self, model: Any) -> None:
        self.model, self.metadata = model, model.metadata

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's prediction; Refusal, for a wrong input or parameter too."""
        try:
            return self.model.predict(data, params=params)
        except Refusal:
            raise
        except MlflowException as error:
            wrong = '"inputs" does not fit the model (allowed: a list of records or texts that is not empty)'
            text = wrong if error.error_class == WRONG_INPUT else error.message
            raise Refusal(text, INVALID_PARAMETER_VALUE) from None


def application(uri: str, limit: int) -> Bounded:
    """Load a registered model and return its scoring server; `limit` is in bytes. ConfigError if there is none."""
    from mlflow.pyfunc import scoring_server

    server.connect()
    os.environ.setdefault("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    with server.explained():
        try:
            if not uri.startswith("models:/"):  # loading a model runs its code
                raise MlflowException("not an address of the registry")
            model = mlflow.pyfunc.load_model(uri)
        except MlflowException as error:
            raise server.refused(error) or ConfigError(
                f"cannot load {uri}: {server.redact(str(error))[:300]}",
                allowed="models:/cgdmer-ecg-encoder@champion, models:/NAME@ALIAS, models:/NAME/VERSION",
                fix="python -m cgdmer publish && python -m cgdmer promote",
            ) from error
    return Bounded(scoring_server.init(PlainModel(model)), limit)  # type: ignore[arg-type]


def serve(uri: str, host: str, port: int, limit: int) -> None:
    """Serve a registered model until SIGTERM or SIGINT."""
    import uvicorn

    uvicorn.run(application(uri, limit), host=host, port=port, log_level="warning")
