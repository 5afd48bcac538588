"""MLflow's own REST server in a process of its own: `python mlflow_process.py DATABASE PORT`.

It reads commands from standard input, one per line, and answers each with a line: `start`, `kill`, and `lose N`. After
`lose N` the next N log-batch requests are carried out, but their responses are lost.
"""

import logging
import os
import socket
import sys
import threading
from pathlib import Path

from werkzeug.serving import make_server

lost = 0


def application(environ, start_response):
    global lost
    answer = list(app.wsgi_app(environ, start_response))
    if lost and environ["PATH_INFO"].endswith("log-batch"):
        lost -= 1
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return answer


if __name__ == "__main__":
    database, port = Path(sys.argv[1]), int(sys.argv[2])
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = f"sqlite:///{database}"
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = (database.parent / "served").as_uri()
    from mlflow.server import app

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    for line in sys.stdin:
        word, *numbers = line.split()
        if word == "start":
            server = make_server("127.0.0.1", port, application, threaded=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        elif word == "kill":
            server.shutdown()
            server.server_close()
        elif word == "lose":
            lost = int(numbers[0])
        sys.stdout.write(f"{word} done, {lost} to lose\n")
        sys.stdout.flush()
