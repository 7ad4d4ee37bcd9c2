"""Pictures of what LangChain returned; none of them makes the call that a lesson teaches."""

from helpers.views.bill import TokenBill
from helpers.views.desk import ChatWindow
from helpers.views.learning import LossCurves, ScoreTable
from helpers.views.messages import MessageView
from helpers.views.providers import Providers
from helpers.views.replay import Replay
from helpers.views.stream import watch
from helpers.views.timeline import Timeline
from helpers.views.tree import RunTree

__all__ = [
    "ChatWindow",
    "LossCurves",
    "MessageView",
    "Providers",
    "Replay",
    "RunTree",
    "ScoreTable",
    "Timeline",
    "TokenBill",
    "watch",
]
