"""A receiver in LangSmith's place, on this machine: it keeps what a tracing client sends to it.

receiver = Receiver()
client = langsmith.Client(api_url=receiver.url, api_key="any")
...
receiver.requests  # what arrived
receiver.close()  # from now on nobody listens there
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# What LangSmith tells its clients, and the client asks for first: how to send runs. Not as
# multipart, that is, but as plain JSON.
INFO = {
    "batch_ingest_config": {
        "use_multipart_endpoint": False,
        "size_limit": 100,
        "scale_up_nthreads_limit": 1,
        "scale_up_qsize_trigger": 1000,
    }
}


@dataclass(frozen=True)
class Request:
    """A request that arrived: its path, the names of its headers, and its body, None for none.

    The headers' values are not kept, for the key is among them.
    """

    path: str
    headers: list[str]
    body: Any


class Receiver:
    """A server on loopback that answers as LangSmith does, 401 to a POST without a key.

    `url` is its address, `requests` what arrived so far.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200, INFO)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                requests.append(Request(self.path, [name.lower() for name in self.headers], body))
                if "x-api-key" in self.headers:
                    self.answer(200, {})
                else:
                    self.answer(401, {"detail": "Invalid token"})

            def answer(self, status: int, content: Any) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            def log_message(self, format: str, *values: Any) -> None:
                """Say nothing: a log would stand between a notebook's outputs."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that arrived, each as its last state: a run is sent twice, begun and ended."""
        runs: dict[str, dict[str, Any]] = {}
        for request in self.requests:
            if request.path == "/runs/batch":
                for run in [*request.body.get("post", []), *request.body.get("patch", [])]:
                    runs[run["id"]] = {**runs.get(run["id"], {}), **run}
        return list(runs.values())

    def close(self) -> None:
        """Stop listening; what arrived stays."""
        self._server.shutdown()
        self._server.server_close()
