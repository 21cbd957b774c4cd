"""Branching vessels grown through an organ."""

import numpy as np

MURRAY = 2.7  # a parent's radius to this power is the sum of its children's


def grow_tree(
    root: np.ndarray, tips: np.ndarray, *, tip_radius: float, root_radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A tree that reaches every tip from a root.

    Tips are joined nearest first, each where its own way is short and its way to the root is too (the
    trade-off of Cuntz et al. 2010, doi 10.1371/journal.pcbi.1000877); radii follow Murray's law.

    Args:
        root: (3,) reference point.
        tips: (n, 3) reference points.
        tip_radius: radius of the last branches in mm.
        root_radius: the trunk's radius in mm; it limits the whole tree.

    Returns:
        starts (m, 3), ends (m, 3), radii (m,).
    """
    tips = tips[np.argsort(((tips - root) ** 2).sum(axis=1))]
    nodes = np.empty((2 * len(tips) + 1, 3))
    length = np.zeros(len(nodes))
    parent = np.full(len(nodes), -1)
    nodes[0] = root
    count = 1
    for tip in tips:
        away = np.sqrt(((nodes[:count] - tip) ** 2).sum(axis=1))
        best = int((away + 0.45 * length[:count]).argmin())
        # A middle node gives later branches a place to leave from, and the branch a slight bend.
        bend = 0.08 * away[best] * np.sin(tip * 0.37 + count)
        for point in ((nodes[best] + tip) / 2 + bend, tip):
            nodes[count], parent[count] = point, best
            length[count] = length[best] + np.sqrt(((point - nodes[best]) ** 2).sum())
            best, count = count, count + 1
    area = np.zeros(count)
    children = np.bincount(parent[1:count], minlength=count)
    area[children == 0] = tip_radius**MURRAY
    for node in range(count - 1, 0, -1):
        area[parent[node]] += area[node]
    radii = np.minimum(area[1:count] ** (1 / MURRAY), root_radius)
    return nodes[parent[1:count]], nodes[1:count], radii
