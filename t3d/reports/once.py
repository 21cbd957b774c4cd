"""What was made of a text, kept in this process so that each text is read once."""

import hashlib
from collections.abc import Callable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class Once(Generic[Made]):
    """Values by the hash of a text: bounded, never the text, and empty after pickling.

    Args:
        limit: values that are kept; when there are more, it begins anew.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._made: dict[bytes, Made] = {}

    def get(self, text: str, make: Callable[[], Made]) -> Made:
        """The value of a text, made if it is not there; what ``make`` raises is raised every time."""
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        made = self._made  # another thread may begin anew meanwhile
        if key not in made:
            value = make()
            if len(made) >= self.limit:
                self._made = made = {}
            made[key] = value
        return made[key]

    def put(self, text: str, value: Made) -> None:
        """Keep the value of a text that was made elsewhere."""
        self.get(text, lambda: value)

    def __getstate__(self) -> dict[str, int]:
        """The limit alone: token ids are a report to whoever has the vocabulary."""
        return {"limit": self.limit}

    def __setstate__(self, state: dict[str, int]) -> None:
        """Begin empty."""
        self.limit, self._made = state["limit"], {}
