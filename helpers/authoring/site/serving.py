"""Shows the site while it is written: serves it on this computer, and builds it again when a page changes."""

from __future__ import annotations

import functools
import http.server
import threading
import time
from pathlib import Path

from helpers.authoring.site import building
from helpers.authoring.site.course import NOTEBOOKS, SiteError
from helpers.authoring.site.render import HERE
from helpers.authoring.site.settings import Address
from helpers.i18n import _
from helpers.setup.jupyter import is_free

PAUSE = 1.0  # seconds between two looks at the files


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each of them."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()


def changes() -> dict[Path, int]:
    """Return when each file changed last that the site is made of."""
    found = [*NOTEBOOKS.rglob("*.ipynb"), *NOTEBOOKS.rglob("*.md"), *HERE.rglob("*.*")]
    return {path: path.stat().st_mtime_ns for path in found if "__pycache__" not in path.parts}


def server(out: Path, port: int) -> http.server.ThreadingHTTPServer:
    """Return a server of the folder `out` on this computer alone; port 0 takes any that is free.

    Raises SiteError where the port is taken.
    """
    if port and not is_free(port):
        text = _("Port {port} is taken. Choose another one with --port.")
        raise SiteError(text.format(port=port))
    handler = functools.partial(Quiet, directory=str(out))
    return http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)


def serve(out: Path, address: Address, port: int) -> int:
    """Build the site, serve it until Ctrl-C, and build it again whenever something changes.

    A build that fails says so, and the site stays as it was. Raises SiteError.
    """
    before = changes()
    print(building.build(out, address), flush=True)
    with server(out, port) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        text = _("Open http://127.0.0.1:{port}/. Ctrl-C in this window stops it.")
        print(text.format(port=serving.server_port), flush=True)
        try:
            while True:
                time.sleep(PAUSE)
                now = changes()
                if now != before:
                    before = now
                    try:
                        print(building.build(out, address), flush=True)
                    except SiteError as error:
                        print(error, flush=True)
        except KeyboardInterrupt:
            serving.shutdown()
            return 0
