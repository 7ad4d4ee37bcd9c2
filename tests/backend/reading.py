"""Finds in the sources of packages which environment variables they read."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGES = (
    "langchain_core",
    "langchain_openai",
    "langsmith",
    "openai",
    "httpx2",
    "httpcore2",
    "anyio",
)
# Functions whose arguments name variables, the second of langsmith, which puts a prefix before the
# name. What hands a parameter of its own on to one of them is found, and is then such a function too.
READERS, PREFIXING = "getenv", "get_env_var"
PREFIXES = ("LANGSMITH_", "LANGCHAIN_")
NAME = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
OF_A_CLIENT = re.compile(r"(OPENAI|LANGSMITH|LANGCHAIN|LC)(_[A-Z0-9]+)+")
PROXIES = {f"{scheme}_proxy" for scheme in ("http", "https", "all", "no")}


def variables_read() -> set[str]:
    """Return the names of all variables that one of PACKAGES reads, or might read by its name.

    Found are `os.environ` in any form, `os.getenv`, functions that end there (`from_env`,
    `get_env_var`, `_float_env`, whatever they will be called), `getproxies`, and each text in the
    sources that looks like a variable of these clients.
    """
    found: set[str] = set()
    for package in PACKAGES:
        trees = list(_trees(package))
        prefixing = _with_callers(trees, PREFIXING) if package == "langsmith" else set()
        readers = _with_callers(trees, READERS, "from_env", "secret_from_env") - prefixing
        found |= {name for tree in trees for name in _names(tree, readers, prefixing)}
    return found


def _with_callers(trees: list[ast.Module], *first: str) -> set[str]:
    """Return `first` and all functions that hand the name of a variable on to one of them."""
    found = {*first}
    while new := {name for tree in trees for name in _handing_on(tree, found)} - found:
        found |= new
    return found


def _trees(package: str) -> Iterator[ast.Module]:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin, f"{package} is not installed"
    for path in sorted(Path(spec.origin).parent.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if re.search(r"environ|getenv|_env\b|env_var|getproxies|LANGSMITH|OPENAI_|LC_", source):
            yield ast.parse(source)


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _is_environ(node: ast.AST) -> bool:
    return "environ" in (getattr(node, "attr", ""), getattr(node, "id", ""))


def _reads(tree: ast.AST, readers: set[str]) -> Iterator[tuple[str, list[ast.expr]]]:
    """Yield each reading of the environment: by which function, "" for none, and what names it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            named = [*node.args, *(keyword.value for keyword in node.keywords)]
            if _called(node) in readers:
                yield _called(node), named
            elif isinstance(node.func, ast.Attribute) and _is_environ(node.func.value):
                yield "", named[:1]
            elif _called(node) == "getproxies":
                yield "getproxies", []
        elif isinstance(node, ast.Subscript) and _is_environ(node.value):
            yield "", [node.slice]
        elif isinstance(node, ast.Compare) and any(map(_is_environ, node.comparators)):
            yield "", [node.left]


def _handing_on(tree: ast.Module, readers: set[str]) -> Iterator[str]:
    """Yield the functions whose parameter becomes the name of a variable."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = function.args
            own = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
            for _, named in _reads(function, readers):
                used = {n.id for part in named for n in ast.walk(part) if isinstance(n, ast.Name)}
                if used & own:
                    yield function.name


def _names(tree: ast.Module, readers: set[str], prefixing: set[str]) -> Iterator[str]:
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for reader, named in _reads(tree, readers | prefixing):
        texts = [text for part in named for text in _texts(part, constants)]
        if reader == "getproxies":
            yield from PROXIES
        elif reader in prefixing:
            names = [text for text in texts if text.isupper() and f"{text}_" not in PREFIXES]
            yield from (prefix + name for prefix in PREFIXES for name in names)
        else:
            yield from filter(NAME.fullmatch, texts)
    yield from filter(OF_A_CLIENT.fullmatch, _texts(tree, {}))


def _texts(node: ast.AST, constants: dict[str, ast.expr]) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and part.id in constants:
            yield from _texts(constants[part.id], {})
