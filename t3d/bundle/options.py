"""What was typed after an option, as the value it means."""

from typing import Any

from t3d.errors import T3DError


def check_flags(**flags: Any) -> None:
    """Refuse options of ``monai.bundle run`` that are meant as yes or no and arrive as text, which would be yes.

    Raises:
        T3DError: names the option and the word to write.
    """
    for name, value in flags.items():
        if isinstance(value, str):
            word = {"true": "True", "false": "False"}.get(value.lower(), "True or False")
            raise T3DError(
                f"--{name} is the text {value!r}, which would count as yes: write --{name} {word} (Python's words)"
            )
