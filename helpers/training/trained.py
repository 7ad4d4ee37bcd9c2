"""Keeps the networks that a lesson trains, so that each is trained once, and says what training needs."""

from __future__ import annotations

import builtins
import contextlib
import dataclasses
import dis
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
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any, ParamSpec, TypeVar, cast

from helpers import i18n
from helpers.setup import ROOT
from helpers.setup.environment import tell
from helpers.setup.files import try_lock, write_whole
from helpers.setup.processes import typed

FOLDER_VARIABLE = (
    "COURSE_TRAINED"  # another folder; with it `kept` says nothing (building, testing)
)
PACKAGES = ("torch", "transformers", "tokenizers", "peft", "safetensors", "sklearn")
# What `save_pretrained` writes of a network and its tokenizer; without one of them neither loads.
COMPLETE = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")

MISSING = {
    "en": "This lesson trains a network and needs {names}, which the course does not install by "
    "itself (about {size}). Type {command}, then restart the kernel.",
    "zh": "这一课要训练一个网络，需要 {names}；课程不会自动安装它们（约 {size}）。"
    "请输入 {command}，然后重启内核。",
    "fr": "Cette leçon entraîne un réseau et demande {names}, que le cours n'installe pas de "
    "lui-même (environ {size}). Tapez {command}, puis redémarrez le noyau.",
}
SIZE = {"en": "1.3 GB", "zh": "1.3 GB", "fr": "1,3 Go"}
LOADING = {
    "en": "{name} was run before: loading its result. To run it anew, delete {folder}",
    "zh": "{name} 之前运行过：正在载入当时的结果。要重新运行，请删除 {folder}",
    "fr": "{name} a déjà été exécutée : chargement du résultat. Pour recommencer, supprimez {folder}",
}
WAITING = {
    "en": "Another notebook is training this; waiting for it.",
    "zh": "另一个笔记本正在进行同样的训练，请稍候。",
    "fr": "Un autre notebook fait le même entraînement ; attendons qu'il ait fini.",
}

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
        lang = i18n.language()
        listed = ", ".join(names) if lang != "zh" else "、".join(names)
        command = typed("training")
        raise TrainingMissing(tell(MISSING, lang, names=listed, size=SIZE[lang], command=command))


def folder() -> Path:
    """Return the folder where trained networks are kept; it need not exist."""
    return Path(os.environ.get(FOLDER_VARIABLE) or ROOT / ".trained")


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
    with path.open("a") as file:
        if not try_lock(file):
            say(WAITING)
            while not try_lock(file):
                time.sleep(0.2)
        yield


def say(texts: dict[str, str], **fields: object) -> None:
    """Print a line in the notebook's language, but nothing on a page that is built or compared."""
    if FOLDER_VARIABLE not in os.environ:
        print(tell(texts, i18n.language(), **fields))


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
                say(LOADING, name=name, folder=place)
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


def feed(digest: Any, value: Any) -> None:
    """Add to a hash all that makes `value` what it is. Raises TypeError where that cannot be said."""
    kind, parts = taken_apart(value)
    digest.update(f"{kind} {len(parts)}\n".encode())
    for part in parts:
        if isinstance(part, bytes):
            digest.update(b"%d\n%s" % (len(part), part))
        else:
            feed(digest, part)


PLAIN = (bool, int, float, complex, str, bytes, range, PurePath, type(...))


def taken_apart(value: Any) -> tuple[str, Sequence[Any]]:
    """Return what kind of thing `value` is and what it consists of, in the end bytes."""
    kind = type(value).__name__
    if value is None or isinstance(value, PLAIN):
        return kind, [repr(value).encode()]
    if isinstance(value, Mapping):
        return "mapping", [part for pair in value.items() for part in pair]
    if isinstance(value, (list, tuple)):
        return kind, value
    if isinstance(value, (set, frozenset)):
        return "set", sorted(value, key=repr)
    if isinstance(value, CodeType):
        return kind, steps(value)
    if isinstance(value, FunctionType):
        return kind, [part for own in reached(value) for part in behaviour(own)]
    if isinstance(value, ModuleType) or hasattr(
        value, "__qualname__"
    ):  # classes and what is built in
        return kind, [value.__name__]
    if hasattr(value, "to_json_string"):  # transformers' configurations
        return kind, [value.to_json_string()]
    if dataclasses.is_dataclass(value):
        return kind, [getattr(value, field.name) for field in dataclasses.fields(value)]
    if hasattr(value, "backend_tokenizer"):  # transformers' tokenizers
        return kind, [value.backend_tokenizer.to_str(), value.chat_template]
    if hasattr(value, "numpy"):  # a tensor
        return kind, taken_apart(value.detach().cpu().numpy())[1]
    if hasattr(value, "tobytes"):  # an array
        return kind, [str(value.dtype), value.shape, value.tobytes()]
    raise TypeError(
        f"a kept function cannot tell whether a {kind} is the same as last time: "
        "give it each network as an argument of its own, and beside them plain values"
    )


def reached(function: FunctionType) -> list[FunctionType]:
    """Return the function and all of its own module that it may call, those of classes among them.

    What comes from other modules is known by its name, and so is not looked into.
    """
    found = [function]
    for own in found:
        for value in globals_of(own).values():
            for other in vars(value).values() if isinstance(value, type) else [value]:
                other = inspect.unwrap(other) if callable(other) else other
                if (
                    isinstance(other, FunctionType)
                    and other.__module__ == function.__module__
                    and other not in found
                ):
                    found.append(other)
    return found


def behaviour(function: FunctionType) -> list[Any]:
    """Return what decides what a function does: its steps, its defaults, and what it reads."""
    values = {
        name: value.__qualname__ if isinstance(value, FunctionType) else value
        for name, value in globals_of(function).items()
    }
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [function.__code__, function.__defaults__, function.__kwdefaults__, values, cells]


# How a call is compiled depends on whether the import stands in the same cell.
SILENT = {"CACHE", "EXTENDED_ARG", "NOP", "PRECALL", "PUSH_NULL", "RESUME"}
CALLS = {"LOAD_METHOD": "LOAD_ATTR", "CALL_METHOD": "CALL", "CALL_FUNCTION": "CALL"}
JUMPS = {*dis.hasjabs, *dis.hasjrel}


def steps(code: CodeType) -> list[Any]:
    """Return what a piece of code does, step by step, without its docstring and its lines."""
    taken = [step for step in dis.get_instructions(code) if step.opname not in SILENT]
    offsets = [step.offset for step in taken]
    found: list[Any] = [code.co_varnames]
    for step in taken:
        given = step.argval
        if step.opcode in JUMPS:
            given = bisect_left(offsets, given)
        elif step.opcode in dis.hasconst and step.arg is not None:
            given = code.co_consts[step.arg]  # `dis` does not tell those of a call's names
        found += [CALLS.get(step.opname, step.opname), given]
    return found


def globals_of(function: FunctionType) -> dict[str, Any]:
    """Return the globals that a function, or one defined in it, reads.

    Without Python's own, of which notebooks have others in their place, such as `open`.
    """
    codes, names = [function.__code__], set()
    for code in codes:
        names |= {
            step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"
        }
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    known = function.__globals__
    return {name: known[name] for name in sorted(names & set(known) - set(dir(builtins)))}
