"""Shows a widget as one of several forms of an output, with each release of ipywidgets."""

from __future__ import annotations

from typing import Any


def bundle_of(widget: Any) -> dict[str, Any]:
    """Return what a front end that has widgets needs to show this one.

    ipywidgets 7, which Colab has, shows a widget by itself and cannot be asked.
    """
    if hasattr(widget, "_repr_mimebundle_"):
        bundle: dict[str, Any] = widget._repr_mimebundle_()
        return bundle
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view, "text/plain": repr(widget)}
