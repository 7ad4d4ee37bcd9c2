"""Keeps the networks that a lesson trains, so that each is trained once, and says what training needs."""

from __future__ import annotations

import contextlib
import filecmp
import functools
import hashlib
import importlib.util
import inspect
import io
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from helpers.i18n import _, listed
from helpers.setup.files import learners, try_lock, write_whole
from helpers.setup.processes import typed
from helpers.training.sameness import feed

# Names another folder; with it `kept` says nothing (building, testing).
FOLDER_VARIABLE = "COURSE_TRAINED"
PACKAGES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "sklearn")
# What `save_pretrained` writes of a network and its tokenizer; without one of them neither loads.
COMPLETE = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")

P = ParamSpec("P")
R = TypeVar("R")


class TrainingMissing(Exception):
    """What training needs is not installed; the message says what to type."""

    def _render_traceback_(self) -> list[str]:
        """Show the message alone in a notebook."""
        return [f"TrainingMissing: {self}"]


def missing() -> list[str]:
    """Return the names of the packages that training needs and that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def require() -> None:
    """Raise TrainingMissing, in the notebook's language, where what training needs is not installed."""
    if names := missing():
        raise TrainingMissing(
            _(
                "This lesson trains a network and needs {names}, which the course does not install "
                "by itself (about {size}). Type {command}, then restart the kernel."
            ).format(names=listed(names), size=_("1.3 GB"), command=typed("training"))
        )


def folder() -> Path:
    """Return the folder where trained networks are kept; it need not exist."""
    return Path(os.environ.get(FOLDER_VARIABLE) or learners(".trained"))


def shop() -> Path | None:
    """Return the folder of the network that lesson 15 trained, None where there is no complete one."""
    found = folder() / "shop"
    return found if all((found / name).is_file() for name in COMPLETE) else None


@contextlib.contextmanager
def saving(name: str = "shop") -> Iterator[Path]:
    """Give an empty folder to save a network into, which then becomes `folder() / name` as a whole.

    Until then there is the old one, and again where the change fails. Where the same files are
    there already, they stay.
    """
    target = folder() / name
    new, old = (target.with_name(f".{name}.{os.getpid()}.{end}") for end in ("new", "old"))
    shutil.rmtree(new, ignore_errors=True)  # left behind by one who was killed
    new.mkdir(parents=True)
    try:
        yield new
        with lock(target.with_name(f".{name}.lock")):
            if not same_files(new, target):
                if target.exists():
                    shutil.rmtree(old, ignore_errors=True)
                    target.replace(old)
                try:
                    new.replace(target)
                except OSError:
                    if old.exists():
                        old.replace(target)
                    raise
    finally:
        for gone in (new, old):
            shutil.rmtree(gone, ignore_errors=True)


def same_files(one: Path, other: Path) -> bool:
    """Say whether two folders hold the same files with the same content."""
    names = sorted(path.name for path in one.iterdir())
    if not other.is_dir() or names != sorted(path.name for path in other.iterdir()):
        return False
    return filecmp.cmpfiles(one, other, names, shallow=False)[0] == names


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let one process, and in it one thread, at a time do what follows; the system frees it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        if not try_lock(file):
            say(_("Another notebook is training this; waiting for it."))
            while not try_lock(file):
                time.sleep(0.2)
        yield


def say(line: str) -> None:
    """Print a line, but nothing on a page that is built or compared."""
    if FOLDER_VARIABLE not in os.environ:
        print(line)


def kept(function: Callable[P, R]) -> Callable[P, R]:
    """Make a training function keep what it did: called again, it loads that and does not train.

    The networks among its arguments are trained in place and must keep their form (add a LoRA
    adapter before). It returns numbers: what JSON can hold. All that is kept goes under a key made
    of its code, that of the notebook's own functions which it calls, the values of its arguments
    and of the globals it reads, and the weights of the networks as they come. What it prints is
    printed again. It must set its own seed; torch's and Python's generators are left as they were.
    Several processes that call it at once train once. Raises TypeError for what has no such value.
    """
    signature = inspect.signature(function)
    name = function.__name__

    @functools.wraps(function)
    def train_or_load(*args: P.args, **kwargs: P.kwargs) -> R:
        import torch
        from safetensors.torch import load_model, save_model

        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        networks = {key: it for key, it in given.items() if isinstance(it, torch.nn.Module)}
        digest = hashlib.sha256()
        for part in (function, {key: it for key, it in given.items() if key not in networks}):
            feed(digest, part)
        for network in networks.values():
            feed(digest, form(network))
            feed(digest, dict(network.state_dict()))
        place = folder() / f"{name}-{digest.hexdigest()[:16]}"
        with lock(place / "lock"):
            if not (place / "result.json").exists():
                printed = Tee(sys.stdout)
                before = {key: form(network) for key, network in networks.items()}
                state = random.getstate()
                with contextlib.redirect_stdout(printed), torch.random.fork_rng(devices=[]):
                    result = function(*args, **kwargs)
                random.setstate(state)
                if before != {key: form(network) for key, network in networks.items()}:
                    raise TypeError(f"{name} may train a network's weights, not change its form")
                for key, network in networks.items():
                    save_model(network, str(place / f"{key}.new"))
                    (place / f"{key}.new").replace(place / f"{key}.safetensors")
                training = {key: network.training for key, network in networks.items()}
                learnt = {"result": result, "printed": printed.heard, "training": training}
                # Written last: it says that all the rest is there.
                write_whole(place / "result.json", json.dumps(learnt, default=float))
            else:
                loading = _(
                    "{name} was run before: loading its result. To run it anew, delete {folder}"
                )
                say(loading.format(name=name, folder=place))
                learnt = json.loads((place / "result.json").read_text(encoding="utf-8"))
                print(learnt["printed"], end="")
                for key, network in networks.items():
                    load_model(network, str(place / f"{key}.safetensors"))
                    network.train(learnt["training"][key])
        # As JSON has it (a tuple is a list) even when it was made just now.
        return cast(R, json.loads(json.dumps(learnt["result"], default=float)))

    return train_or_load


class Tee(io.StringIO):
    """Passes on what is printed, and remembers it."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output
        self.heard = ""

    def write(self, text: str) -> int:
        self.heard += text
        self.output.write(text)
        return len(text)

    def flush(self) -> None:
        self.output.flush()


def form(network: Any) -> list[str]:
    """Return what a network is, without its weights."""
    config = getattr(network, "config", None)
    learning = [name for name, weight in network.named_parameters() if weight.requires_grad]
    return [repr(network), config.to_json_string() if config is not None else "", *learning]
