"""A lesson that is right in everything, for tests to break."""

from __future__ import annotations

from pathlib import Path

from helpers.authoring.source import Lesson, files, read_lesson

GOOD = """---
training: false
---

+++ {"id": "title", "lang": "en"}

# Birds

You can tell birds apart.

+++ {"lang": "zh", "of": "TITLE"}

# 鸟

学完之后，你会认鸟。

+++ {"lang": "fr", "of": "TITLE"}

# Les oiseaux

Vous savez reconnaître les oiseaux.

+++ {"id": "why", "lang": "en"}

## Why

Call `sing` as the [guide](https://example.org/) says.

+++ {"lang": "zh", "of": "WHY"}

## 为什么

按照[指南](https://example.org/)调用 `sing`。

+++ {"lang": "fr", "of": "WHY"}

## Pourquoi

Appelez `sing` comme le dit le [guide](https://example.org/).

```{code-cell} python
:id: call
:of: {zh: "CALL", fr: "CALL"}

bird = "parrot"  # @en
bird = "鹦鹉"  # @zh
bird = "perroquet"  # @fr
print(f"{bird}: {len(bird)}")
```

```{code-cell} python
:id: exercise

def sing(bird):
    ### BEGIN SOLUTION
    return bird.upper()
    ### END SOLUTION


song = ...
### BEGIN SOLUTION
song = sing(bird)
### END SOLUTION
```
"""

TEXTS = """---
kernelspec:
  display_name: Python 3 (ipykernel)
  name: python3
---

+++ {"id": "exercise.correct", "lang": "en"}

Well sung.

+++ {"lang": "zh", "of": "EXERCISE.CORRECT"}

唱得好。

+++ {"lang": "fr", "of": "EXERCISE.CORRECT"}

Bien chanté !

```{code-cell} python
:id: exercise.wrong.none

song = ""
```
"""


def write(folder: Path, text: str, texts: str = "") -> Path:
    """Write a lesson, with `texts` as its exercises' file if there are any; return its path.

    A word in capitals that stands for a stamp becomes the right one.
    """
    path = folder / "01-birds.md"
    path.write_text(text, encoding="utf-8")
    if texts:
        path.with_name("01-birds.exercises.md").write_text(texts, encoding="utf-8")
    stamps = {cell.id.upper(): cell.stamp() for cell in read_lesson(path).cells}
    for file in files(path):
        text = file.read_text(encoding="utf-8")
        for name, stamp in stamps.items():
            text = text.replace(f'"{name}"', f'"{stamp}"')
        file.write_text(text, encoding="utf-8")
    return path


def broken(folder: Path, old: str, new: str) -> Lesson:
    """Write and read the lesson with a change."""
    assert old in GOOD
    return read_lesson(write(folder, GOOD.replace(old, new)))
