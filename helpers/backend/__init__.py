"""Which chat model a notebook talks to, how it is set, and what of it must not be shown."""

from helpers.backend.choice import current_model, start, start_again
from helpers.backend.settings import BackendError, without_real_model

__all__ = ["BackendError", "current_model", "start", "start_again", "without_real_model"]
