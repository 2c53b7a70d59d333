"""Text from outside (file names, manifest columns, messages) made safe to print."""

import re
from collections.abc import Sequence

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$-])")


def printable(text: object) -> str:
    """The text on one line, with every character that could move a cursor or hide written out."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in str(text)
    )


def markdown(text: object) -> str:
    """The text as Markdown that shows it as it is: no link, no HTML, no table cell, no emphasis."""
    return _MARKDOWN.sub(r"\\\1", printable(text)).replace("\\<", "&lt;").replace("\\>", "&gt;")


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The rows as a table of Markdown, whatever text their cells hold."""
    lines = [head, ("---",) * len(head), *([markdown(cell) for cell in row] for row in rows)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
