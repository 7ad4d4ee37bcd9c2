"""The built-in model: an OpenAI-compatible server whose answers are prepared, in this process."""

MODEL = "built-in"  # its name
