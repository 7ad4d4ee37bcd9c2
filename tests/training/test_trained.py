"""Tests of helpers.training.trained: trained once, whoever asks and however many at once; never half a thing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers import i18n
from helpers.i18n import LANGUAGES
from helpers.setup import ROOT, processes
from helpers.training import trained
from tests import needs


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for trained networks of the test's own."""
    monkeypatch.setenv(trained.FOLDER_VARIABLE, str(tmp_path / "kept"))
    return tmp_path / "kept"


@pytest.fixture
def torch() -> Any:
    needs.required()
    import torch

    return torch


# Without torch


def test_the_folder_is_the_courses_own_unless_another_is_named(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained.folder() == own_folder
    monkeypatch.delenv(trained.FOLDER_VARIABLE)
    assert trained.folder() == ROOT / ".trained"
    assert ".trained/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_the_module_and_the_shops_folder_need_no_torch() -> None:
    code = "import sys; from helpers.training import trained; trained.shop(); trained.missing()"
    code += "; print('torch' in sys.modules, 'transformers' in sys.modules)"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True)
    assert said.split() == ["False", "False"]


def test_only_a_complete_network_counts(own_folder: Path) -> None:
    assert trained.shop() is None
    (own_folder / "shop").mkdir(parents=True)
    for name in trained.COMPLETE:
        assert trained.shop() is None
        (own_folder / "shop" / name).touch()
    assert trained.shop() == own_folder / "shop"


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_missing_is_said_in_one_sentence(
    lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "PACKAGES", ("json", "nowhere_to_be_found"))
    i18n.use(lang)
    with pytest.raises(trained.TrainingMissing) as caught:
        trained.require()
    said = str(caught.value)
    assert "nowhere_to_be_found" in said and "json" not in said
    assert processes.typed("training") in said and "\n" not in said
    assert caught.value._render_traceback_() == [f"TrainingMissing: {said}"]
    monkeypatch.setattr(trained, "PACKAGES", ("json",))
    trained.require()


def save(name: str, text: str) -> None:
    with trained.saving(name) as place:
        (place / "weights").write_text(text, "utf-8")


def test_a_network_is_saved_as_a_whole_or_not_at_all(own_folder: Path) -> None:
    save("net", "one")
    with pytest.raises(KeyError), trained.saving("net") as place:
        (place / "weights").write_text("half", "utf-8")
        raise KeyError
    assert (own_folder / "net" / "weights").read_text("utf-8") == "one"
    before = (own_folder / "net").stat().st_ino
    save("net", "one")
    assert (own_folder / "net").stat().st_ino == before, "the same files stay"
    save("net", "two")
    assert (own_folder / "net" / "weights").read_text("utf-8") == "two"
    assert sorted(path.name for path in own_folder.iterdir()) == [".net.lock", "net"]


def test_where_the_change_fails_the_old_network_is_there_again(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("net", "one")
    (own_folder / f".net.{os.getpid()}.new").mkdir()  # of a process that was killed
    replace = Path.replace

    def refused(path: Path, target: Path) -> Path:
        if path.name.endswith(".new"):
            raise PermissionError("in use")
        return replace(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refused)
        with pytest.raises(PermissionError):
            save("net", "two")
    assert (own_folder / "net" / "weights").read_text("utf-8") == "one"
    assert sorted(path.name for path in own_folder.iterdir()) == [".net.lock", "net"]


# Keeping


def make(code: str, module: str = "a_notebook") -> dict[str, Any]:
    """Return the names that a notebook's code defines."""
    names: dict[str, Any] = {"__name__": module, "kept": trained.kept, "calls": []}
    exec(compile(code, "<cell>", "exec"), names)
    return names


TRAIN = '''
import torch

RATE = 0.1

def step(network, amount):
    with torch.no_grad():
        for weight in network.parameters():
            weight += amount * torch.rand(weight.shape)

@kept
def train(network, steps=3, data=("a", "b")):
    """Train."""
    torch.manual_seed(1)
    for number in range(steps):
        step(network, RATE)
        print(number, end=" ")
    network.eval()
    return {"losses": [torch.tensor(1.5) / (number + 1) for number in range(steps)], "pair": (1, 2)}
'''


def runs(own_folder: Path) -> int:
    """Return how often something was trained and kept."""
    return len(list(own_folder.glob("*/result.json")))


def linear(torch: Any, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Dropout())


def test_loaded_is_the_same_as_trained(
    torch: Any, own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, printed, weights, after = [], [], [], []
    for _ in range(2):
        network = linear(torch)
        results.append(make(TRAIN)["train"](network))
        printed.append(capsys.readouterr().out)
        weights.append(network.state_dict())
        after.append((network.training, torch.rand(1).item()))
    assert results == [{"losses": [1.5, 0.75, 0.5], "pair": [1, 2]}] * 2
    assert printed == ["0 1 2 "] * 2
    assert after[0] == after[1] and after[0][0] is False, "chance goes on as if nothing had been"
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not torch.equal(weights[0]["0.weight"], linear(torch).state_dict()["0.weight"])
    assert runs(own_folder) == 1


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_learner_is_told_that_it_was_loaded_and_how_to_train_anew(
    lang: str,
    torch: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv(trained.FOLDER_VARIABLE)
    monkeypatch.setattr(trained, "learners", lambda name: tmp_path / name)
    i18n.use(lang)
    make(TRAIN)["train"](linear(torch))
    assert capsys.readouterr().out == "0 1 2 "
    make(TRAIN)["train"](linear(torch))
    first, second = capsys.readouterr().out.splitlines()
    assert "train" in first and str(tmp_path / ".trained" / "train-") in first
    assert second == "0 1 2 "


CHANGES: dict[str, Callable[[str], str]] = {
    "code": lambda code: code.replace("number + 1", "number + 2"),
    "a function that it calls": lambda code: code.replace("+= amount", "-= amount"),
    "a global": lambda code: code.replace("RATE = 0.1", "RATE = 0.2"),
    "where a loop ends": lambda code: code.replace("    network.eval()", "        network.eval()"),
    "a default": lambda code: code.replace('("a", "b")', '("a", "c")'),
}
SAME: dict[str, Callable[[str], str]] = {
    "imports in another cell": lambda code: code.replace(
        "import torch", "torch = __import__('torch')"
    ),
    "docstring": lambda code: code.replace("Train.", "Entraîner."),
    "comments and lines": lambda code: code.replace("import torch", "# 训练\n\nimport torch"),
    "a notebook's own open": lambda code: code + "\ndef print(*_, **__): pass\n",
    "a global of that name as an attribute": lambda code: code + "\neval = manual_seed = 1\n",
}


@pytest.mark.parametrize("what", [*CHANGES, *SAME])
def test_what_makes_it_another_training(what: str, torch: Any, own_folder: Path) -> None:
    make(TRAIN)["train"](linear(torch))
    make({**CHANGES, **SAME}[what](TRAIN))["train"](linear(torch))
    assert runs(own_folder) == 1 + (what in CHANGES)


def test_other_arguments_and_another_network_make_another_training(
    torch: Any, own_folder: Path
) -> None:
    train = make(TRAIN)["train"]
    train(linear(torch))
    train(linear(torch), 3)
    train(linear(torch), steps=3, data=("a", "b"))
    assert runs(own_folder) == 1, "the same, called otherwise"
    frozen = linear(torch)
    frozen[0].bias.requires_grad_(False)
    others: list[tuple[Any, ...]] = [(linear(torch, seed=1),), (frozen,), (linear(torch), 2)]
    others += [
        (linear(torch), 3, data) for data in (["a", "b"], ("ab",), ("a", ("b",)), {"a": "b"})
    ]
    others += [(linear(torch), 3, torch.tensor([1, 2])), (linear(torch), 3, torch.tensor([[1, 2]]))]
    for number, given in enumerate(others, 2):
        train(*given)
        assert runs(own_folder) == number, given[1:]


def test_what_cannot_be_kept_is_refused(torch: Any, own_folder: Path) -> None:
    train = make(TRAIN)["train"]
    for value in (object(), [linear(torch)], iter([])):
        with pytest.raises(TypeError, match="give it each network as an argument of its own"):
            train(linear(torch), 3, value)
    grows = make("@kept\ndef grow(network):\n    network.append(network[0])\n")["grow"]
    with pytest.raises(TypeError, match="not change its form"):
        grows(linear(torch))
    returns = make("@kept\ndef give(network):\n    return [network]\n")["give"]
    with pytest.raises(TypeError):
        returns(linear(torch))
    assert runs(own_folder) == 0


def test_tied_weights_are_kept_and_stay_tied(torch: Any) -> None:
    def tied() -> Any:
        network = linear(torch)
        network.append(torch.nn.Linear(3, 2))
        network[2].weight = network[0].weight
        return network

    for _ in range(2):
        network = tied()
        make(TRAIN)["train"](network)
        assert network[2].weight is network[0].weight


PROGRAM = """
import sys, time
import torch
from pathlib import Path
from helpers.training.trained import kept

@kept
def slow(network, log):
    with open(log, "a") as file:
        file.write("trained\\n")
    time.sleep(float(sys.argv[2]))
    with torch.no_grad():
        network.weight.fill_(7)
    return 42

torch.manual_seed(0)
network = torch.nn.Linear(2, 2)
print("ready", flush=True)
print(slow(network, sys.argv[1]), network.weight.sum().item())
"""


def start(log: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(log), str(seconds)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_three_at_once_train_once(torch: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    said = [process.communicate(timeout=100)[0] for process in [start(log, 1) for _ in range(3)]]
    assert said == ["ready\n42 28.0\n"] * 3
    assert log.read_text("utf-8") == "trained\n"


def test_a_trainer_that_is_killed_leaves_nothing_half_done_and_the_lock_free(
    torch: Any, own_folder: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    killed = start(log, 60)
    while not log.exists():
        assert killed.poll() is None
        time.sleep(0.05)
    killed.kill()
    killed.communicate()
    assert runs(own_folder) == 0
    assert start(log, 0).communicate(timeout=60)[0].endswith("42 28.0\n")
    assert log.read_text("utf-8") == "trained\n" * 2


def test_killed_while_writing_it_is_trained_again(
    torch: Any, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(trained, "write_whole", die)
        make(TRAIN)["train"](linear(torch))
    assert runs(own_folder) == 0
    make(TRAIN)["train"](linear(torch))
    (result,) = own_folder.glob("*/result.json")
    assert json.loads(result.read_text("utf-8"))["result"]["pair"] == [1, 2]


def test_threads_of_one_process_train_once_too(torch: Any, tmp_path: Path) -> None:
    train = make(
        "import time\n@kept\ndef train(network, log):\n"
        "    open(log, 'a').write('x')\n    time.sleep(0.3)\n"
    )["train"]
    log, networks = str(tmp_path / "log"), [linear(torch) for _ in range(3)]
    threads = [threading.Thread(target=train, args=(network, log)) for network in networks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Path(log).read_text("utf-8") == "x"
