"""The course in a real JupyterLab in a real browser, for the tests in a browser and for screenshots.

Finding a browser needs the standard library alone, all else the extra `browser`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import random
import secrets
import shutil
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.setup import ROOT
from helpers.setup import jupyter as lab
from helpers.setup.files import write_whole

if TYPE_CHECKING:
    from playwright.sync_api import Page

PACKAGES = ("playwright", "axe_playwright_python")
# Browsers that Playwright drives, as a shell finds them, and where macOS and Windows put them.
NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "microsoft-edge-stable", "msedge"),
)
APPLICATIONS = (
    *("Google Chrome.app/Contents/MacOS/Google Chrome", "Chromium.app/Contents/MacOS/Chromium"),
    "Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
PROGRAMS = ("Google/Chrome/Application/chrome.exe", "Microsoft/Edge/Application/msedge.exe")
PROGRAM_FOLDERS = ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")

PORTS = range(20_000, 32_000)  # among which JupyterLab gets one
PATIENCE = 120.0  # seconds that something may take to appear, on a computer with much else to do
# Milliseconds between two looks at a page; what is looked for at each frame takes time from the page.
POLLING = 100
# JupyterLab follows the browser's wish for light or dark, so that each page can have its own, and
# puts all cells into the page, not only those that are in sight.
SETTINGS = {
    "@jupyterlab/apputils-extension/themes": {"adaptive-theme": True},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
# How far the notebook at a path is, "idle" once its cells can be run. What has the focus is the
# current widget, and the menu's commands are for that.
STATE = """path => {
    const shell = window.jupyterapp?.shell;
    if (!shell) return "no JupyterLab";
    const dialog = document.querySelector(".jp-Dialog");
    if (dialog) return dialog.innerText;
    const panel = [...shell.widgets("main")].find(widget => widget.context?.path === path);
    if (!panel) return "no notebook";
    if (!panel.context.isReady || !panel.sessionContext.isReady) return "not ready";
    const kernel = panel.sessionContext.session?.kernel;
    if (kernel?.connectionStatus !== "connected") return kernel?.connectionStatus ?? "no kernel";
    if (shell.currentWidget !== panel) { shell.activateById(panel.id); return "not current"; }
    return kernel.status;
}"""
SERVE_LAB = (
    "import sys; from pathlib import Path; from helpers.setup import jupyter as lab; "
    "lab.serve(Path(sys.executable), Path(sys.argv[1]), 'en', int(sys.argv[2]), extra=sys.argv[3:])"
)


class BrowserError(Exception):
    """JupyterLab or the browser did not start; the message is what they said."""


def find() -> Path | None:
    """Return the path of an installed browser that Playwright drives, None where there is none."""
    paths = [Path(path) for path in map(shutil.which, NAMES) if path]
    if sys.platform == "darwin":
        folders = [Path("/Applications"), Path.home() / "Applications"]
        paths += [folder / name for name in APPLICATIONS for folder in folders]
    if sys.platform == "win32":
        folders = [Path(os.environ[name]) for name in PROGRAM_FOLDERS if name in os.environ]
        paths += [folder / name for name in PROGRAMS for folder in folders]
    return next(filter(Path.is_file, paths), None)


def missing() -> str | None:
    """Return what is missing for the course in a browser, and how to get it; None where nothing is."""
    if find() is None:
        return "needs a browser: Chromium, Chrome or Edge"
    names = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    return f"needs {', '.join(names)}: python3 -m helpers test installs them" if names else None


@dataclass(frozen=True)
class Course:
    """A running JupyterLab, and a browser that Playwright's `chromium.connect` can reach."""

    root: str  # the folder with the copy of the notebooks, JupyterLab's root
    server: str  # JupyterLab's address, without a path
    token: str
    browser: str  # the browser's address


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Course]:
    """Run a JupyterLab and a browser; all that they write, they write to `folder`.

    JupyterLab shows a copy of the course's notebooks. Raises BrowserError, CourseError.
    """
    from helpers import backend

    root = folder / "course"
    shutil.copytree(
        ROOT / "notebooks", root / "notebooks", ignore=shutil.ignore_patterns("source", ".*")
    )
    shutil.copy(ROOT / ".env.example", root)  # lesson 00 shows it
    base = {**backend.without_real_model(), **own_folders(folder / "home")}
    for name, values in SETTINGS.items():
        path = Path(base["JUPYTERLAB_SETTINGS_DIR"], f"{name}.jupyterlab-settings")
        write_whole(path, json.dumps(values))
    token, port = secrets.token_hex(24), free_port()
    serve = [sys.executable, "-c", SERVE_LAB, str(root), str(port)]
    serve += ["--no-browser", "--LabApp.expose_app_in_browser=True"]
    launch = [sys.executable, "-m", "playwright", "launch-server", "--browser=chromium"]
    launch.append(f"--config={folder / 'launch.json'}")
    write_whole(folder / "launch.json", json.dumps(launch_options()))
    with contextlib.ExitStack() as stack:
        beside = stack.enter_context
        jupyterlab, said = beside(
            process(serve, folder / "lab.log", {**base, "JUPYTER_TOKEN": token})
        )
        browser, printed = beside(process(launch, folder / "browser.log", base))
        server = f"http://127.0.0.1:{port}"
        wait(lambda: lab.answers(server, token), jupyterlab, said)
        wait(lambda: "ws://" in printed() and printed().endswith("\n"), browser, printed)
        address = next(line for line in printed().splitlines() if line.startswith("ws://"))
        yield Course(str(root), server, token, address)


def own_folders(home: Path) -> dict[str, str]:
    """Return the environment variables that keep Jupyter, Python and the browser in `home`."""
    folders = {
        "HOME": home,
        "USERPROFILE": home,
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTERLAB_SETTINGS_DIR": home / "settings",
        "JUPYTERLAB_WORKSPACES_DIR": home / "workspaces",
    }
    home.mkdir(parents=True)
    return {**{name: str(path) for name, path in folders.items()}, "PYTHONPATH": str(ROOT)}


def launch_options() -> dict[str, Any]:
    """Return what Playwright needs to start the browser, from which no other host can be reached."""
    return {
        "executablePath": str(find()),
        "headless": True,
        "host": "127.0.0.1",
        "args": [
            *("--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
            *("--disable-gpu", "--disable-quic", "--disable-sync"),
        ],
    }


def free_port() -> int:
    """Return a port on which nobody listens now.

    It is none of those that a system gives to connections, or one might take it before JupyterLab
    does: on Linux those begin at 32768, elsewhere at 49152. Raises BrowserError where none is free.
    """
    for port in random.sample(PORTS, len(PORTS)):
        if lab.is_free(port):
            return port
    raise BrowserError(f"no free port from {PORTS[0]} to {PORTS[-1]}")


@contextlib.contextmanager
def process(
    command: list[str], log: Path, variables: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """Run `command` beside us, and end it and all that it has started.

    Gives the process, and a function that returns what it has printed so far, which `log` holds.
    """
    import psutil

    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**variables, "PYTHONUTF8": "1"},
        )
        try:
            yield child, lambda: log.read_text(encoding="utf-8", errors="replace")
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                parent = psutil.Process(child.pid)
                family = [*parent.children(recursive=True), parent]
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.kill()
                psutil.wait_procs(family, timeout=10)
            child.wait()


def wait(
    ready: Callable[[], bool], child: subprocess.Popen[bytes], said: Callable[[], str]
) -> None:
    """Wait until `ready()`. Raises BrowserError where `child` ends before, or takes too long."""
    begun = time.monotonic()
    while not ready():
        if child.poll() is not None or time.monotonic() - begun > PATIENCE:
            raise BrowserError(f"{' '.join(map(str, child.args[:4]))}\n{said()}")  # type: ignore[index]
        time.sleep(0.1)


def open_notebook(page: Page, course: Course, path: str) -> None:
    """Open the notebook at `path` ("notebooks/en/04-stream.ipynb") and wait for its kernel.

    A page that shows JupyterLab already, in which `close_notebook` has closed another notebook, is
    used as it is. Any other gets a JupyterLab workspace of its own, and so opens the notebook alone.
    Raises BrowserError.
    """
    from playwright.sync_api import TimeoutError as TooLate

    page.set_default_timeout(1000 * PATIENCE)
    if page.url.startswith(course.server):
        page.evaluate("path => void jupyterapp.commands.execute('docmanager:open', {path})", path)
    else:
        workspace = path.replace("/", "-").removesuffix(".ipynb")
        address = f"{course.server}/lab/workspaces/{workspace}/tree/{urllib.parse.quote(path)}"
        page.goto(f"{address}?token={course.token}&reset")
    try:
        page.wait_for_function(f"path => ({STATE})(path) === 'idle'", arg=path, polling=POLLING)
    except TooLate as error:
        raise BrowserError(f"{path} did not open: {page.evaluate(STATE, path)}") from error
    # The kernel has answered once when this is known; run before, cells would be left out.
    page.evaluate(
        "async () => void await jupyterapp.shell.currentWidget.sessionContext.session.kernel.info"
    )


def run_all(page: Page, seconds: float = 300) -> None:
    """Run all cells as the menu does, and wait until each has run or one has failed unasked.

    `seconds` is how long that may take. Raises playwright's TimeoutError.
    """
    page.evaluate(
        """() => {
            window.courseHasRun = false;
            const run = window.jupyterapp.commands.execute("notebook:run-all-cells");
            run.finally(() => { window.courseHasRun = true; });
        }"""
    )
    # The command may end before the last cells have, and the kernel is idle between two cells.
    page.wait_for_function(
        """() => {
            const panel = window.jupyterapp.shell.currentWidget;
            const cells = panel.content.widgets.filter(cell => cell.model.type === "code");
            const failed = cell => cell.model.outputs.toJSON().some(out => out.output_type === "error")
                && !cell.model.getMetadata("tags")?.includes("raises-exception");
            return window.courseHasRun &&
                cells.every(cell => cell.model.executionState === "idle") &&
                (cells.some(failed) || cells.every(cell => cell.model.executionCount)) &&
                panel.sessionContext.session.kernel.status === "idle";
        }""",
        timeout=1000 * seconds,
        polling=POLLING,
    )


def close_notebook(page: Page, course: Course, path: str) -> None:
    """Close the notebook at `path` without saving it, if it is open, and end its kernel."""
    page.evaluate(
        """path => {
            const widgets = [...(window.jupyterapp?.shell.widgets("main") ?? [])];
            widgets.filter(widget => widget.context?.path === path).forEach(widget => widget.dispose());
        }""",
        path,
    )
    for session in ask(course, "GET", "/api/sessions"):
        if session["path"] == path:
            ask(course, "DELETE", f"/api/sessions/{session['id']}")


def ask(course: Course, method: str, path: str, body: object = None) -> Any:
    """Send a request to JupyterLab's server and return its answer; what is sent and got is JSON."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(course.server + path, data, method=method)
    request.add_header("Authorization", f"token {course.token}")
    with direct.open(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or "null")
