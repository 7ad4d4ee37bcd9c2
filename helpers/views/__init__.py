"""Pictures of what LangChain returned; none of them makes the call that a lesson teaches."""

from helpers.views.providers import Providers
from helpers.views.stream import watch
from helpers.views.timeline import Timeline

__all__ = ["Providers", "Timeline", "watch"]
