"""Draws as NetCDF-4: HDF5 with named dimensions, in the groups that ArviZ knows.

The layout is NetCDF's own use of HDF5 (dimension scales), written by h5py, so that neither NetCDF nor xarray
has to be installed to write it. `arviz.from_netcdf`, `xarray.open_dataset(path, group="posterior")` and
`xarray.open_datatree` read it.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from scalebridge.core.files import atomic_path

Groups = Mapping[str, Mapping[str, np.ndarray]]


def write_draws(
    path: str | os.PathLike[str],
    groups: Groups,
    observed: Mapping[str, np.ndarray],
    units: Mapping[str, str],
) -> Path:
    """Write draws, whole or not at all.

    Args:
        path: the file, .nc.
        groups: by group ("posterior", "sample_stats", ...) and name, arrays (chains, draws, ...).
        observed: by name, what was measured, without chains and draws.
        units: by name, the unit.

    Returns:
        the path.
    """
    with atomic_path(path) as part, h5py.File(part, "w", track_order=True) as file:
        for name, arrays in groups.items():
            _write_group(file.create_group(name, track_order=True), arrays, ("chain", "draw"), units)
        if observed:
            _write_group(file.create_group("observed_data", track_order=True), observed, (), units)
    return Path(path)


def _write_group(
    group: h5py.Group, arrays: Mapping[str, np.ndarray], leading: tuple[str, ...], units: Mapping[str, str]
) -> None:
    group.attrs["inference_library"] = "scalebridge"
    lengths: dict[str, int] = {}
    named = {}
    for name, array in arrays.items():
        inner = [f"{name}_dim_{axis}" for axis in range(array.ndim - len(leading))]
        named[name] = [*leading, *inner]
        lengths.update(zip(named[name], array.shape, strict=True))
    scales = {}
    for number, (name, length) in enumerate(lengths.items()):
        scales[name] = group.create_dataset(name, data=np.arange(length))
        scales[name].make_scale(name)
        scales[name].attrs["_Netcdf4Dimid"] = np.int32(number)
    for name, array in arrays.items():
        plain = array.astype(np.int8) if array.dtype == bool else np.asarray(array, dtype=float)
        stored = group.create_dataset(name, data=plain, compression="gzip" if plain.size else None)
        if name in units:
            stored.attrs["units"] = units[name]
        for axis, dimension in enumerate(named[name]):
            stored.dims[axis].attach_scale(scales[dimension])
