"""HDF5: any dataset by its path; the layouts of DREAM.3D, VTKHDF, ilastik, Fiji and scalebridge are known."""

import json
import math
from typing import Any

import h5py
import numpy as np

from scalebridge.core.errors import FileFormatError
from scalebridge.io.stored import Request, Stored, choose_dataset, is_image, reading

_FORMAT = "HDF5"


def describe(request: Request) -> Stored:
    """Describe one dataset; without a name of axes in the file they are taken as (z, y, x)."""
    path = request.path
    with reading(path, _FORMAT), h5py.File(path, "r") as file:
        images, others = _list_datasets(file)
        name = choose_dataset(request, images, others)
        dataset: Any = file[name]  # h5py types an item as any kind of object
        shape, dtype, axes = tuple(dataset.shape), dataset.dtype, _axes(dataset)
        spacing, unit, remark = _spacing(file, dataset, axes)
        _check_stored(dataset, path.name)

    def load() -> np.ndarray:
        with h5py.File(path, "r") as file:
            dataset: Any = file[name]
            return dataset[...]

    return Stored(_FORMAT, shape, dtype, axes, load, (path,), name, spacing, unit, remark)


def _list_datasets(file: h5py.File) -> tuple[dict[str, str], list[str]]:
    """Return the datasets that can be images, described, and all other datasets."""
    images: dict[str, str] = {}
    others: list[str] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.shape is not None and is_image(item.shape, item.dtype) and _one_a_cell(file, item):
                images[name] = f"{tuple(item.shape)} {item.dtype}"
            else:
                others.append(name)

    file.visititems(visit)
    return images, others


def _one_a_cell(file: Any, dataset: Any) -> bool:
    """Leave out vector fields, and DREAM.3D's tables of features and of geometry."""
    if dataset.name.startswith("/VTKHDF/"):
        return dataset.ndim == 3
    if "_SIMPL_GEOMETRY" in dataset.name:
        return False
    geometry = _dream3d_geometry(file, dataset)
    if geometry is None:
        return True
    lengths = tuple(int(length) for length in geometry["DIMENSIONS"][...])
    return dataset.shape[:3] == lengths[::-1] and dataset.size == math.prod(lengths)


def _dream3d_geometry(file: Any, dataset: Any) -> Any:
    """Return the image geometry of a DREAM.3D dataset /DataContainers/<name>/<matrix>/<array>."""
    parts = dataset.name.strip("/").split("/")
    if len(parts) != 4 or parts[0] != "DataContainers" or parts[2] == "_SIMPL_GEOMETRY":
        return None
    geometry = file.get(f"DataContainers/{parts[1]}/_SIMPL_GEOMETRY")
    return geometry if geometry is not None and "DIMENSIONS" in geometry and "SPACING" in geometry else None


def _axes(dataset: Any) -> str:
    """Letters of the axes: from attributes or dimension labels, else (z, y, x) and components last."""
    count = len(dataset.shape)
    named = _named_axes(dataset)
    if len(named) == count and set(named) <= set("xyzct"):
        return named
    if dataset.name.startswith(("/DataContainers/", "/VTKHDF/")) and count == 4:
        return "zyxc"
    return "zyx"[-count:] if count <= 3 else "t" * (count - 3) + "zyx"


def _named_axes(dataset: Any) -> str:
    if "axistags" in dataset.attrs:  # ilastik and VIGRA
        return "".join(axis["key"] for axis in json.loads(_text(dataset.attrs["axistags"]))["axes"]).lower()
    if "axes" in dataset.attrs and isinstance(dataset.attrs["axes"], str | bytes):
        return _text(dataset.attrs["axes"]).lower()
    return "".join(dimension.label for dimension in dataset.dims).lower()


def _spacing(file: Any, dataset: Any, axes: str) -> tuple[dict[str, float], str | None, str]:
    """Find the voxel size where the known writers put it."""
    attributes = dataset.attrs
    if "element_size_um" in attributes:  # Fiji and ilastik: slowest axis first
        sizes = np.atleast_1d(attributes["element_size_um"]).astype(float)
        spatial = [letter for letter in axes if letter in "xyz"]
        return (
            dict(zip(spatial, sizes[-len(spatial) :].tolist(), strict=False)),
            "um",
            "its element_size_um is short",
        )
    if "voxel_size" in attributes:  # scalebridge's own write_hdf5
        sizes = np.atleast_1d(attributes["voxel_size"]).astype(float).tolist()
        return (
            dict(zip("xyz", sizes, strict=False)),
            _unit(attributes.get("length_unit")),
            "its voxels have no length",
        )
    geometry = _dream3d_geometry(file, dataset)
    if geometry is not None:
        return dict(zip("xyz", geometry["SPACING"][...].astype(float).tolist(), strict=False)), None, ""
    root = file.get("VTKHDF")
    if root is not None and dataset.name.startswith("/VTKHDF/") and "Spacing" in root.attrs:
        sizes = np.asarray(root.attrs["Spacing"], float).tolist()
        return dict(zip("xyz", sizes, strict=False)), _unit(root.attrs.get("length_unit")), ""
    return {}, None, f"dataset '{dataset.name}' has no voxel size that is known here"


def _unit(value: Any) -> str | None:
    text = None if value is None else _text(value)
    return None if text in (None, "", "voxel") else text


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _check_stored(dataset: Any, name: str) -> None:
    """Refuse a dataset that was declared but never written: HDF5 would silently fill it."""
    if dataset.id.get_storage_size() == 0 and not dataset.is_virtual and dataset.external is None:
        raise FileFormatError(
            "dataset",
            got=f"'{dataset.name}' of '{name}', declared with shape {dataset.shape} but never written",
            wanted="a dataset with data in it",
            cure="write the dataset again: the program that wrote it stopped before its end",
        )
