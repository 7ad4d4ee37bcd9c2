"""Builds the site once for all workers of a test run, and serves it below a path, as a host of pages does."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

from helpers.authoring.site import building
from helpers.authoring.site.serving import Quiet
from helpers.setup import ROOT
from helpers.training import trained
from tests.browser.sharing import FOLDER_VARIABLE

PATH = "some/where"  # below which it is served
REPOSITORY = "ada/parrots"
URL = "https://example.org/some/where/"  # nobody asks there: links alone say so


def build(out: Path) -> None:
    """Build the site in `out` in a process of its own, without what sets packages up first."""
    make = "from pathlib import Path; from helpers.authoring.site import building, settings; "
    make += f"building.build(Path(sys.argv[1]), settings.address({REPOSITORY!r}, {URL!r}))"
    command = [sys.executable, "-c", f"import sys; {make}", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


def site() -> Path:
    """Return the folder of this run's site; the first worker that asks builds it."""
    folder = Path(os.environ[FOLDER_VARIABLE])
    out = folder / "hosted" / PATH
    with trained.lock(folder / "site.lock"):
        if not (out / building.MARK).exists():
            build(out)
    return out


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve the site by a plain file server as long as the block runs; gives its address, with a slash."""
    hosted = site().parents[PATH.count("/")]
    handler = functools.partial(Quiet, directory=str(hosted))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/{PATH}/"
        server.shutdown()
