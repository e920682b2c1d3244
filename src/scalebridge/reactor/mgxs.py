"""Multigroup libraries in OpenMC's HDF5: read, and written with every convention said.

A group for each material, with a group for each temperature inside; energies ascend in the file, groups go
from the fastest; scattering is stored from the lowest to the highest group that is reached, orders innermost,
as Legendre moments without 2 l + 1. A spectrum that depends on the group of the fission is in the file as
a matrix of nu-fission, [from, to], without a chi. Source: OpenMC, "Multi-Group Cross Section Library Format",
version 1.0, and what openmc.XSdata.from_hdf5 and MGXSLibrary.from_hdf5 read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from scalebridge.core.errors import FileFormatError, InputError
from scalebridge.core.files import atomic_path
from scalebridge.reactor.materials import MultigroupMaterial, multigroup_material

_TEMPERATURE = "294K"


def write_mgxs(path: str | Path, materials: Mapping[str, MultigroupMaterial], *, note: str = "") -> Path:
    """Write materials as an OpenMC multigroup library, whole or not at all.

    Args:
        path: the file.
        materials: by name, all with the same group edges.
        note: said in the file, such as how factors are to be used.

    Raises:
        InputError: group edges are unknown or differ.
    """
    edges = _shared_edges(materials)
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file.attrs["filetype"] = np.bytes_("mgxs")
        file.attrs["version"] = [1, 0]
        file.attrs["energy_groups"] = len(edges) - 1
        file.attrs["delayed_groups"] = 0
        file.attrs["group structure"] = edges[::-1]
        file.attrs["conventions"] = (
            "1/cm; group 1 is the fastest; scatter [from][to][order] without 2l+1; "
            f"transport correction: {_corrected(materials)}; equivalence factors: none applied. {note}"
        ).strip()
        for name, material in materials.items():
            _write_one(file.create_group(name), material)
    return Path(path)


def read_mgxs(path: str | Path, *, temperature: str | None = None) -> dict[str, MultigroupMaterial]:
    """Read the isotropic materials of an OpenMC multigroup library.

    Args:
        path: the file.
        temperature: "294K"; the only one unless given.

    Raises:
        FileFormatError: it is no such library, or is damaged.
        InputError: a temperature is wanted and missing, or a material cannot be.
    """
    try:
        with h5py.File(path, "r") as file:
            kind = file.attrs.get("filetype", b"")
            if (kind.decode() if isinstance(kind, bytes) else str(kind)) != "mgxs":
                raise FileFormatError(
                    "materials",
                    got=f"{path}, of another kind",
                    wanted="an OpenMC mgxs library",
                    cure="check the file",
                )
            structure: Any = file.attrs["group structure"]
            edges = np.asarray(structure, dtype=float)[::-1]
            return {name: _read_one(name, group, edges, temperature) for name, group in file.items()}
    except (OSError, KeyError, IndexError) as error:
        raise FileFormatError(
            "materials", got=f"{path}: {error}", wanted="a whole OpenMC mgxs library", cure="write it again"
        ) from error


def _corrected(materials: Mapping[str, MultigroupMaterial]) -> str:
    """Say which totals were corrected for anisotropy; each material has the attribute too."""
    found = {material.transport_corrected for material in materials.values()}
    return "of some materials" if len(found) == 2 else ("in total and order 0" if True in found else "none")


def _shared_edges(materials: Mapping[str, MultigroupMaterial]) -> np.ndarray:
    found = [m.group_edges for m in materials.values()]
    first = found[0] if found else None
    if first is None or any(edges is None or not np.array_equal(edges, first) for edges in found):
        raise InputError(
            "group_edges",
            got="none, or different ones",
            wanted="the same group edges of all materials, because the format needs them",
            cure="give group_edges in eV, descending",
        )
    return first


def _write_one(group: h5py.Group, material: MultigroupMaterial) -> None:
    group.attrs["fissionable"] = int(material.fissile)
    group.attrs["representation"] = np.bytes_("isotropic")
    group.attrs["scatter_format"] = np.bytes_("legendre")
    group.attrs["scatter_shape"] = np.bytes_("[G][G'][Order]")
    group.attrs["order"] = material.order
    group.attrs["transport_corrected"] = int(material.transport_corrected)
    group.create_group("kTs").create_dataset(_TEMPERATURE, data=0.02533)
    inner = group.create_group(_TEMPERATURE)
    inner["total"], inner["absorption"] = material.total, material.absorption
    if material.fissile:
        inner["fission"] = material.fission
        if material.chi.ndim == 2:
            inner["nu-fission"] = material.nu_fission[:, None] * material.chi
        else:
            inner["nu-fission"], inner["chi"] = material.nu_fission, material.chi
    low, high = _reach(material)
    scatter = inner.create_group("scatter_data")
    scatter["g_min"], scatter["g_max"] = low + 1, high + 1
    rows = [material.scatter[:, g, low[g] : high[g] + 1].T.ravel() for g in range(material.groups)]
    scatter["scatter_matrix"] = np.concatenate(rows)
    scatter["multiplicity_matrix"] = np.ones(int(np.sum(high - low + 1)))


def _reach(material: MultigroupMaterial) -> tuple[np.ndarray, np.ndarray]:
    used = np.any(material.scatter != 0, axis=0) | np.eye(material.groups, dtype=bool)
    return np.argmax(used, axis=1), material.groups - 1 - np.argmax(used[:, ::-1], axis=1)


def _read_one(name: str, group: Any, edges: np.ndarray, wanted: str | None) -> MultigroupMaterial:
    temperatures = [str(key) for key in group if key != "kTs"]
    chosen = wanted or (temperatures[0] if len(temperatures) == 1 else None)
    if chosen not in temperatures:
        raise InputError(
            "temperature",
            got=repr(wanted),
            wanted=f"one of {', '.join(temperatures)} of {name}",
            cure="choose one",
        )
    kind = group.attrs.get("representation", b"isotropic")
    if (kind.decode() if isinstance(kind, bytes) else str(kind)) != "isotropic":
        raise InputError(
            f"{name}.representation", got=str(kind), wanted="isotropic", cure="average over angles first"
        )
    inner = group[chosen]
    order = int(group.attrs["order"])
    values: dict[str, Any] = {
        key.replace("-", "_"): np.asarray(inner[key])
        for key in ("total", "absorption", "fission", "nu-fission", "chi")
        if key in inner
    }
    made = values.get("nu_fission", np.zeros(0))
    if made.ndim == 2:
        values["nu_fission"] = made.sum(axis=1)
        values["chi"] = made / np.where(values["nu_fission"] > 0, values["nu_fission"], 1.0)[:, None]
    return multigroup_material(
        name,
        scatter=_read_scatter(inner["scatter_data"], len(edges) - 1, order),
        transport_corrected=bool(group.attrs.get("transport_corrected", 0)),
        group_edges=edges,
        **values,
    )


def _read_scatter(data: Any, groups: int, order: int) -> np.ndarray:
    """Moments as [order, from, to]; neutrons that reactions multiply are counted as scattered."""
    low, high = (np.asarray(data[key], dtype=int) - 1 for key in ("g_min", "g_max"))
    flat = np.asarray(data["scatter_matrix"], dtype=float)
    found, at, single = np.zeros((order + 1, groups, groups)), 0, 0
    multiplied = np.asarray(data["multiplicity_matrix"]) if "multiplicity_matrix" in data else None
    for g in range(groups):
        width = high[g] - low[g] + 1
        block = flat[at : at + width * (order + 1)].reshape(width, order + 1).T
        if multiplied is not None:
            block = block * multiplied[single : single + width]
        found[:, g, low[g] : high[g] + 1] = block
        at, single = at + width * (order + 1), single + width
    return found[: min(order, 3) + 1]
