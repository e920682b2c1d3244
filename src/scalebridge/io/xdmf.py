"""Series in time as XDMF: one light text that points into HDF5 files, one of them a time.

A file of a time is written once, whole; the text is written anew after each. So a run that is killed leaves a
series that can be read, and one that is resumed goes on with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import h5py
import numpy as np

from scalebridge.core.files import atomic_path, write_text

_TOPOLOGIES = {"triangle": "Triangle", "quad": "Quadrilateral", "tetra": "Tetrahedron"} | {
    "hexahedron": "Hexahedron"
}
_CENTRES = {"point": "Node", "cell": "Cell"}
_ATTRIBUTES = {1: "Scalar", 3: "Vector", 9: "Tensor"}
_NUMBERS = {"i": "Int", "u": "UInt", "f": "Float"}


@dataclass(frozen=True)
class XdmfGrid:
    """What does not change in a series: topology and geometry, as elements of the text.

    Args:
        text: the two elements.
    """

    text: str


def mesh_grid(path: Path, points: np.ndarray, cell: str, cells: np.ndarray) -> XdmfGrid:
    """Write nodes and elements to an HDF5 file beside the series, and return the grid of them.

    Args:
        path: file to write, whole or not at all.
        points: (nodes, 3), m.
        cell: "triangle", "quad", "tetra" or "hexahedron".
        cells: (elements, nodes of one), in VTK's order.
    """
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        file["points"], file["cells"] = points, cells
    topology = f'TopologyType="{_TOPOLOGIES[cell]}" NumberOfElements="{len(cells)}"'
    return XdmfGrid(
        f"<Topology {topology}>{_item(path.name, 'cells', cells)}</Topology>"
        f'<Geometry GeometryType="XYZ">{_item(path.name, "points", points)}</Geometry>'
    )


def image_grid(shape: Sequence[int], spacing: Sequence[float]) -> XdmfGrid:
    """Return the grid of an image's voxels.

    Args:
        shape: (3,) voxels along x, y, z.
        spacing: (3,) edges of a voxel, m.
    """
    nodes = " ".join(str(n + 1) for n in reversed(shape))
    edges = " ".join(repr(float(edge)) for edge in reversed(spacing))
    inline = '<DataItem Dimensions="3" NumberType="Float" Precision="8" Format="XML">'
    corner, step = f"{inline}0 0 0</DataItem>", f"{inline}{edges}</DataItem>"
    return XdmfGrid(
        f'<Topology TopologyType="3DCORECTMesh" Dimensions="{nodes}"/>'
        f'<Geometry GeometryType="ORIGIN_DXDYDZ">{corner}{step}</Geometry>'
    )


Values = Mapping[str, np.ndarray]


def write_time(path: Path, point_data: Values, cell_data: Values) -> Path:
    """Write the values of one time as HDF5, whole or not at all, beside the series.

    Args:
        path: file to write.
        point_data: (nodes,) or (nodes, components) by name.
        cell_data: the same of elements; of voxels (z, y, x[, components]), so that x runs fastest.
    """
    with atomic_path(path) as part, h5py.File(part, "w") as file:
        for place, data in (("point", point_data), ("cell", cell_data)):
            for name, values in data.items():
                file[_inside(place, name)] = values
    return path


def attributes(file: str, point_data: Values, cell_data: Values) -> str:
    """Return the elements of the text that point into a file with such values.

    Args:
        file: name of a file of `write_time`, beside the series.
        point_data: as written there; only shapes and kinds are looked at.
        cell_data: the same.
    """
    return "".join(
        _attribute(file, name, place, values)
        for place, data in (("point", point_data), ("cell", cell_data))
        for name, values in data.items()
    )


def write_xdmf(path: Path, name: str, grid: XdmfGrid, times: Sequence[tuple[float, str]]) -> Path:
    """Write the text of a series, whole or not at all.

    Args:
        path: the .xdmf file.
        name: of the series.
        grid: what `mesh_grid` or `image_grid` returned.
        times: time (s) and what `attributes` returned, of each.
    """
    head = f'<Grid Name={quoteattr(name)} GridType="Uniform">'
    rows = "".join(f'{head}<Time Value="{time!r}"/>{grid.text}{values}</Grid>\n' for time, values in times)
    return write_text(
        path,
        '<?xml version="1.0"?>\n<Xdmf Version="3.0"><Domain>\n'
        f'<Grid Name={quoteattr(name)} GridType="Collection" CollectionType="Temporal">\n'
        f"{rows}</Grid></Domain></Xdmf>\n",
    )


def _inside(place: str, name: str) -> str:
    return f"{place}/{name.replace('/', '|')}"  # a slash would make a group


def _attribute(file: str, name: str, place: str, values: np.ndarray) -> str:
    components = values.shape[-1] if values.ndim in (2, 4) else 1  # voxels have three axes before that one
    kind = _ATTRIBUTES.get(components, "Matrix")
    head = f'Name={quoteattr(name)} AttributeType="{kind}" Center="{_CENTRES[place]}"'
    return f"<Attribute {head}>{_item(file, _inside(place, name), values)}</Attribute>"


def _item(file: str, inside: str, values: np.ndarray) -> str:
    sizes = " ".join(str(n) for n in values.shape)
    kind = f'NumberType="{_NUMBERS[values.dtype.kind]}" Precision="{values.dtype.itemsize}"'
    return f'<DataItem Dimensions="{sizes}" {kind} Format="HDF">{escape(f"{file}:/{inside}")}</DataItem>'
