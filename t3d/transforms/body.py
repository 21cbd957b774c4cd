"""What of a scaled CT is body."""

from torch import Tensor


def is_body(image: Tensor) -> Tensor:
    """True where a CT scaled from [-1000, 1000] HU to [0, 1] is denser than -600 HU: tissue, not air or lung.

    A function with a name, so that loader workers can be started by any method (a lambda cannot be pickled).
    """
    return image > 0.2
