"""Text out of anybody's data, made fit to be shown: on a terminal, in a log, message or page."""


def printable(text: str) -> str:
    r"""Return text in one line in which every sign is seen and none acts.

    Controls, line ends, marks that turn or hide text and halves of surrogates are written as
    Python escapes.

    >>> printable("temp\x1b[31m\n2026 ERROR forged \u202e")
    'temp\\x1b[31m\\n2026 ERROR forged \\u202e'
    """
    if text.isprintable():
        return text
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )


def printable_lines(text: str) -> str:
    """Return text of several lines of our own making: line ends and tabs stay, no other control."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def amount(number: int, noun: str, plural: str = "") -> str:
    """Return how many there are of something, in words that agree.

    >>> amount(1, "row"), amount(2000, "row"), amount(0, "class", "classes")
    ('1 row', '2,000 rows', '0 classes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
