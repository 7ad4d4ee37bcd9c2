"""Makes what the course runs in, from the standard library alone: nothing is installed yet."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # of the course


class CourseError(Exception):
    """Something that the reader can put right; its text says how, in the reader's language."""
