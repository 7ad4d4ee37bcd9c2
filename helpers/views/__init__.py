"""Pictures of what LangChain returned; none of them makes the call that a lesson teaches."""

from helpers.views.replay import Replay
from helpers.views.stream import watch
from helpers.views.timeline import Timeline

__all__ = ["Replay", "Timeline", "watch"]
