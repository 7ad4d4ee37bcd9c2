"""How each exercise is judged: by what the answer does. A lesson's source holds the messages."""
