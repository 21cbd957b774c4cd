"""What an object is made of, as plain values that can be compared: two transforms of equal state do the same."""

import types
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

# generators of random numbers are seeded later; modules tell nothing
_PASSED_OVER = (np.random.RandomState, types.ModuleType)


def state(value: Any, around: tuple[int, ...] = ()) -> Any:
    """Lists, dicts and plain values that stand for ``value``; tuples count as lists, functions by their names."""
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return [str(value.dtype), repr(value.tolist())]
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.MethodType):
        return f"{value.__module__}.{value.__qualname__}"
    if value is None or isinstance(value, bool | int | float | str | bytes | torch.dtype | torch.device):
        return repr(value)  # as text, since NaN is not itself
    if id(value) in around:
        return f"{len(around) - around.index(id(value))} levels up"
    around = (*around, id(value))
    if isinstance(value, list | tuple):
        return [state(one, around) for one in value]
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if isinstance(value, dict):
        return {str(name): state(one, around) for name, one in value.items()}
    if isinstance(value, partial):
        return ["partial", *(state(one, around) for one in (value.func, value.args, value.keywords))]
    name = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, nn.Module):
        return [name, sorted(value.state_dict())]
    inside = {key: one for key, one in getattr(value, "__dict__", {}).items() if not isinstance(one, _PASSED_OVER)}
    return {"a": name, **{key: state(one, around) for key, one in sorted(inside.items())}}
