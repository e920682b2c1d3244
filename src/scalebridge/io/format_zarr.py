"""Zarr v2 and v3 folders, plain or OME-Zarr (extra `zarr`)."""

from typing import Any

import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import Request, Stored, choose_dataset, is_image, need, reading

_FORMAT = "Zarr"


def describe(request: Request) -> Stored:
    """Describe one array; of an OME-Zarr pyramid the finest level. Unnamed axes are taken as (z, y, x)."""
    zarr = need("zarr", extra="zarr", purpose="reading a Zarr folder")
    path = request.path
    with reading(path, _FORMAT):
        root = zarr.open(str(path), mode="r")
        arrays = {"": root} if isinstance(root, zarr.Array) else _arrays(root, zarr)
        name = _choose(request, root, arrays)
        array = arrays[name]
        axes, spacing, unit = _metadata(root, name, array)
    shape, dtype = tuple(array.shape), np.dtype(array.dtype)
    _check_filled(array, request)
    remark = "its Zarr attributes hold no voxel size in a known form"
    return Stored(
        _FORMAT, shape, dtype, axes, lambda: array[...], (), name or None, spacing, unit, remark, copies=2
    )


def _arrays(root: Any, zarr: Any) -> dict[str, Any]:
    found = {name: item for name, item in root.members(max_depth=None) if isinstance(item, zarr.Array)}
    return dict(sorted(found.items()))


def _choose(request: Request, root: Any, arrays: dict[str, Any]) -> str:
    if request.dataset is None:
        if "" in arrays:
            return ""
        scales = _multiscales(root)
        if scales and scales["datasets"][0]["path"] in arrays:
            return scales["datasets"][0]["path"]
    described = {name: f"{tuple(item.shape)} {item.dtype}" for name, item in arrays.items()}
    images = {
        name: said for name, said in described.items() if is_image(arrays[name].shape, arrays[name].dtype)
    }
    return choose_dataset(request, images, others=arrays)


def _multiscales(root: Any) -> dict[str, Any]:
    """OME-NGFF metadata: under "ome" since version 0.5, at the top before."""
    attributes = dict(root.attrs)
    images = attributes.get("ome", attributes).get("multiscales", [])
    return images[0] if images else {}


def _metadata(root: Any, name: str, array: Any) -> tuple[str, dict[str, float], str | None]:
    """Return axis letters, spacing by letter in metres or as said, and the unit."""
    count = len(array.shape)
    scales = _multiscales(root)
    levels = {level["path"]: level for level in scales.get("datasets", [])}
    if name in levels:
        return _ome_axes(scales, levels[name], count)
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    letters = "".join(str(letter).lower() for letter in names)
    if len(letters) == count and set(letters) <= set("xyzct"):
        return letters, {}, None
    return ("zyx"[-count:] if count <= 3 else "t" * (count - 3) + "zyx"), {}, None


def _ome_axes(
    scales: dict[str, Any], level: dict[str, Any], count: int
) -> tuple[str, dict[str, float], str | None]:
    axes = scales.get("axes", [])
    names = [
        axis["name"] if isinstance(axis, dict) else axis for axis in axes
    ]  # version 0.3 wrote bare names
    letters = "".join(str(name).lower() for name in names)
    sizes = np.ones(count)
    found = False
    for step in [*level.get("coordinateTransformations", []), *scales.get("coordinateTransformations", [])]:
        if step.get("type") == "scale":
            sizes, found = sizes * np.asarray(step["scale"], float), True
    units = {axis.get("unit") for axis in axes if isinstance(axis, dict) and axis["name"] in "xyz"}
    spacing = dict(zip(letters, sizes.tolist(), strict=True)) if found else {}
    return letters, spacing, units.pop() if len(units) == 1 else None


def _check_filled(array: Any, request: Request) -> None:
    """Refuse an array without a single chunk: Zarr would silently fill it."""
    if array.nchunks_initialized == 0:
        raise FileFormatError(
            "dataset",
            got=f"'{array.path or '/'}' of '{request.path.name}', {array.shape}, without a single chunk",
            wanted="an array that was written; all its voxels would have the fill value",
            cure="write the array again, or copy the folder again with all its files",
        )
