"""The built-in model's token rule: how a text is split into tokens, and how they are counted.

A prompt is all that a request holds, and counts like this:

- a message: PER_MESSAGE, and the tokens of its text;
- a call of a tool, in the message that made it: the tokens of the tool's name and of the arguments;
- a picture: PICTURE_LOW with detail "low", and PICTURE without, whatever its size;
- each tool that is offered, and the schema of `response_format`: the tokens of its JSON, written
  without spaces between names and values: {"name":"get_weather","parameters":{…}};
- REPLY_START for the reply that it opens.

An answer counts the tokens of its text, of the arguments of its calls, and of the thought before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# OpenAI's rule of thumb for chat messages: each message costs three tokens for its role and
# separators, and the reply is opened by three more.
# https://github.com/openai/openai-cookbook/blob/main/examples/How_to_count_tokens_with_tiktoken.ipynb
PER_MESSAGE = 3
REPLY_START = 3

# OpenAI's rule for a picture seen in low detail, and for one of 1024 × 1024 pixels in high detail:
# 85 tokens, and 170 for each of its four tiles.
# https://platform.openai.com/docs/guides/images-vision
PICTURE_LOW = 85
PICTURE = 85 + 4 * 170

# Kana, Han and Hangul, which are written without spaces between words or read by the syllable.
_EAST_ASIAN = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W\d_{_EAST_ASIAN}]"
_SPECIAL = r"\s*<\|im_(?:start|end)\|>"
_TOKEN = re.compile(rf"\s*(?:{_LETTER}+(?:['’]{_LETTER}+)*|\d{{1,3}}|\S)|\s+")
_TOKEN_OR_SPECIAL = re.compile(f"{_SPECIAL}|{_TOKEN.pattern}")


def split(text: str, special: bool = False) -> list[str]:
    """Return the tokens of `text`; joined, they are `text` again.

    With `special`, the signs of the chat template are one token each: in a prompt that has been
    through the template, and not in what a person typed.

    A token is one of these, together with the white space before it:

    - a word, that is a run of letters; an apostrophe between letters belongs to it,
      so "don't" and "l'avion" are one token each;
    - one Chinese, Japanese or Korean character;
    - a run of up to three digits;
    - one punctuation mark or other symbol.

    White space at the end of the text is a token of its own.
    """
    return (_TOKEN_OR_SPECIAL if special else _TOKEN).findall(text)


def count(text: str) -> int:
    """Return the number of tokens in `text`."""
    return len(split(text))


def count_messages(texts: Iterable[str]) -> int:
    """Return the number of tokens that a conversation of these messages takes as a prompt."""
    return REPLY_START + sum(PER_MESSAGE + count(text) for text in texts)
