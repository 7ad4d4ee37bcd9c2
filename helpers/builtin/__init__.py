"""The built-in model: an OpenAI-compatible server whose answers are prepared, in this process."""

MODEL = "built-in"  # its name
# All names that it answers to. "big" stands in lessons for a better and dearer model.
# THINKING spends tokens on a thought before it speaks.
THINKING = "built-in-thinking"
MODELS = (MODEL, "big", THINKING)
