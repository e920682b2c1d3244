"""Arrays that are read a window at a time, when it is asked for: xarray's, Dask's, Zarr's, HDF5's, mapped."""

from typing import Any

import numpy as np

Window = tuple[slice, slice]
"""Rows and columns."""
WHOLE: Window = (slice(None), slice(None))


def is_lazy(array: Any) -> bool:
    """Whether an array lies in files, or is a recipe, and is not to be read before it has to be.

    Example:
        >>> is_lazy(np.ones(3)), is_lazy([1.0, 2.0]), is_lazy(None)
        (False, False, False)
    """
    if isinstance(array, np.memmap):
        return True
    if isinstance(array, np.ndarray) or not hasattr(array, "shape"):
        return False
    variable = getattr(array, "variable", None)
    if variable is not None:  # xarray: what it has in memory is one of NumPy's
        return not isinstance(getattr(variable, "_data", None), np.ndarray)
    return hasattr(array, "__getitem__") and hasattr(array, "dtype")


def cut(array: Any, window: Window) -> np.ndarray:
    """Return a window of an array whose last two axes are rows and columns; a number is itself.

    An axis of length one stands for any length, and is left alone. What NumPy's masked arrays mask is NaN.

    Example:
        >>> cut(np.arange(12).reshape(1, 3, 4), (slice(0, 2), slice(1, 2))).tolist()
        [[[1], [5]]]
    """
    shape = tuple(getattr(array, "shape", ()))
    if len(shape) < 2:
        return np.asarray(array)
    own = tuple(slice(None) if n == 1 else part for n, part in zip(shape[-2:], window, strict=True))
    found = array[(Ellipsis, *own)]
    return np.ma.filled(found.astype(float), np.nan) if np.ma.isMaskedArray(found) else np.asarray(found)
