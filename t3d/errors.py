"""The one exception a person is meant to read: raised for one fault or many, and found again in what wraps it."""

SHOWN_FAULTS = 10


class T3DError(ValueError):
    """A fault in the data, the settings or the weights that the user can mend.

    The message names the case or file, the value that was found and the remedy, in one or two sentences.
    It never quotes report text. ``T3DError("a whole sentence")`` is enough unless somebody says the fault in other
    words: then ``who`` is apart, so that nobody has to take a sentence to pieces.

    Args:
        what: the sentence, or what follows ``who``.
        who: the file or folder that it is about, with a colon where the sentence has one; it may name a patient.
        remedy: what to do, without a full stop.

    Attributes:
        what, who, remedy: as given. What a DataLoader worker raised comes back as a sentence without ``who``.
    """

    def __init__(self, what: str, *, who: str | None = None, remedy: str | None = None) -> None:
        self.what, self.who, self.remedy = what, who, remedy
        # the sentence is the only positional argument: pickle and torch make the error again from it
        super().__init__(self.said if who is None else f"{who} {self.said}")

    @property
    def said(self) -> str:
        """What was found and the remedy, without ``who``."""
        return self.what if self.remedy is None else f"{self.what}; {self.remedy}."

    def said_of(self, who: str) -> str:
        """The message in the words of a case: another name in the place of ``who``."""
        if self.who is None:
            return f"{who} {self}"
        return f"{who}{':' if self.who.endswith(':') else ''} {self.said}"


NAME = f"{T3DError.__module__}.{T3DError.__qualname__}: "
# What Python's traceback printer and torch's DataLoader put after an exception's own words.
_AFTER_MESSAGE = (
    "\n\nThe above exception was the direct cause",
    "\n\nDuring handling of the above exception",
    "\nTraceback (most recent call last)",
)


def raise_faults(faults: list[str], source: str) -> None:
    """Raise one T3DError with the first ten faults and their number; do nothing without faults."""
    if not faults:
        return
    if len(faults) == 1:
        raise T3DError(f"{source}: {faults[0]}.")
    shown = "".join(f"\n  {fault}" for fault in faults[:SHOWN_FAULTS])
    more = len(faults) - SHOWN_FAULTS
    raise T3DError(f"{source}: {len(faults)} faults:{shown}" + (f"\n  ... and {more} more" if more > 0 else ""))


def plain_message(exc: BaseException | None) -> str | None:
    """The words of the T3DError behind an exception, or None when there is none.

    Looks along `__cause__` and `__context__` (MONAI's `apply_transform` and config parser wrap errors that
    way), and into the text, because a DataLoader worker sends its exception home as formatted text.
    """
    seen: set[int] = set()
    queue = [exc]
    while queue:
        current = queue.pop(0)
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        text = str(current)
        if NAME in text:
            return message_in(text)
        if isinstance(current, T3DError):
            return text
        queue += [current.__cause__, None if current.__suppress_context__ else current.__context__]
    return None


def message_in(text: str) -> str:
    """The part of a formatted traceback between the error's class name and the next exception.

    Python prints causes first, so the last T3DError of the text is the outermost, as in a live chain.
    """
    message = text.rsplit(NAME, 1)[1]
    for end in _AFTER_MESSAGE:
        message = message.split(end, 1)[0]
    return message.strip()
