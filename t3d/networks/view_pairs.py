"""Which views of a volume are anchors, which candidates, and which of them belong together."""

from typing import NamedTuple

import torch
from torch import Tensor

from t3d.errors import T3DError


class ViewPairs(NamedTuple):
    """The views of one step; see ``pair_views``.

    Attributes:
        clean: (B, P, C, X, Y, Z), what each corrupted view looked like before.
        candidates: (B, Q, C, X, Y, Z), clean views that are looked for.
        both_ways: whether every view is an anchor and a candidate (Q = P), for all others of its volume.
    """

    clean: Tensor
    candidates: Tensor
    both_ways: bool

    def align(self, anchor: Tensor, candidate: Tensor) -> tuple[Tensor, Tensor]:
        """Put pairs side by side: (B, P, D) and (B, P, D) or (B, G, P, D) -> (B, Q, D) and (.., Q, D), q with q.

        Both ways these are all ordered pairs of different views, the anchor's number first.

        Raises:
            T3DError: a single view, which has no other to be matched with.
        """
        if not self.both_ways:
            return anchor, candidate
        if anchor.shape[-2] < 2:
            raise T3DError("the contrast has one view of a volume and no other to match it with: give two or more")
        views = range(anchor.shape[-2])
        pairs = [(one, other) for one in views for other in views if other != one]
        return _pick(anchor, [one for one, _ in pairs]), _pick(candidate, [other for _, other in pairs])


def pair_views(image: Tensor, corrupted: Tensor) -> ViewPairs:
    """Tell the two forms of a step apart by their shapes.

    Args:
        image: (B, K, C, X, Y, Z) clean views.
        corrupted: of all K views (both ways: each is matched with every other), or of the first half of them
            (ordered: corrupted view p is matched with clean view K / 2 + p).

    Raises:
        T3DError: another number of corrupted views.
    """
    views, copies = image.shape[1], corrupted.shape[1]
    if copies == views:
        return ViewPairs(clean=image, candidates=image, both_ways=True)
    if 2 * copies == views:
        return ViewPairs(clean=image[:, :copies], candidates=image[:, copies:], both_ways=False)
    raise T3DError(f"{views} views with {copies} corrupted ones make no pairs: corrupt all of them, or the first half")


def _pick(vectors: Tensor, places: list[int]) -> Tensor:
    # a list as index would be copied to the device anew in every step
    views = vectors.unbind(dim=-2)
    return torch.stack([views[place] for place in places], dim=-2)
