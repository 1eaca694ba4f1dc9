"""Writes numbers of things in words: "1 step", "2 steps"."""


def counted(number: int, noun: str) -> str:
    """The number and the noun, which takes an "s" unless the number is 1."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
