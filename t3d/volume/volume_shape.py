"""Which array shapes count as one CT volume."""

from collections.abc import Sequence


def volume_shape_fault(shape: Sequence[int]) -> str | None:
    """What keeps an array of this shape (as stored in the file) from being one volume, or None.

    A volume has three axes of at least two voxels; further axes are allowed only with length 1, which is how
    some writers store a single time point.
    """
    shown = " x ".join(str(int(n)) for n in shape)
    further = [int(n) for n in shape[3:] if int(n) != 1]
    if further:
        return (
            f"has {len(shape)} axes ({shown}) where one 3D volume is needed; "
            "save a single time point or channel as a 3D file"
        )
    if len(shape) < 3 or any(int(n) < 2 for n in shape[:3]):
        return f"is 2D ({shown}) where a 3D volume is needed; stack its slices into one 3D file"
    return None
