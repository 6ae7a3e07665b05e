"""How a bank prints the numbers of a transfer."""


def in_fours(text: str) -> str:
    """Four characters together, kept on one line by spaces that do not break."""
    return "\N{NO-BREAK SPACE}".join(text[at : at + 4] for at in range(0, len(text), 4))
