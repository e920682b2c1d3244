"""Files of a structure: a VTU of every increment, the series that ties them together, tables as CSV."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

import meshio
import numpy as np

from scalebridge.core.files import atomic_path, write_text
from scalebridge.structures.equilibrium import Trial
from scalebridge.structures.kinematics import Kinematics
from scalebridge.structures.solid_mesh import KINDS, SolidMesh
from scalebridge.structures.structure_study import cauchy, von_mises


def node_displacements(kinematics: Kinematics, u: np.ndarray) -> np.ndarray:
    """Return the displacements of the mesh's nodes, (dim, nodes)."""
    return np.asarray(u)[kinematics.basis.nodal_dofs]


def write_frame(path: Path, solid: SolidMesh, trial: Trial) -> Path:
    """Write displacements, true stresses and strains of an increment as VTU.

    Point data: displacement (m). Cell data, means over each element: stress (9 components, Pa), strain
    (9 components; finite strain: the deformation gradient), equivalent stress (Pa).

    Args:
        path: file to write, whole or not at all.
        solid: the mesh.
        trial: an equilibrium.
    """
    k = trial.structure.kinematics
    loads = k.loads(trial.u, trial.across)
    moved = node_displacements(k, trial.u)
    stresses = cauchy(trial.answers, loads).reshape(k.points, 9)
    strains = loads if k.finite else cauchy(loads, loads).reshape(k.points, 9)
    values = {"stress": stresses, "strain": strains, "equivalent stress": von_mises(trial.answers, loads)}
    flat = len(moved) == 2
    made = meshio.Mesh(
        np.pad(solid.mesh.p, ((0, 1 if flat else 0), (0, 0))).T,
        [(KINDS[solid.kind].cell, _vtk_cells(solid))],
        point_data={"displacement": np.pad(moved, ((0, 1 if flat else 0), (0, 0))).T},
        cell_data={name: [_means(k, value)] for name, value in values.items()},
    )
    with atomic_path(path) as part:
        made.write(part, file_format="vtu")
    return path


def write_series(folder: Path, frames: list[tuple[float, str]]) -> Path:
    """Write the list of frames that ParaView opens as one series in time."""
    rows = "".join(f"    <DataSet timestep={quoteattr(repr(t))} file={quoteattr(f)}/>\n" for t, f in frames)
    text = (
        '<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1">\n  <Collection>\n'
        f"{rows}  </Collection>\n</VTKFile>\n"
    )
    return write_text(folder / "series.pvd", text)


def _means(kinematics: Kinematics, values: np.ndarray) -> np.ndarray:
    weights = kinematics.weights
    shaped = values.reshape(*weights.shape, -1)
    found = (shaped * weights[..., None]).sum(axis=1) / weights.sum(axis=1)[:, None]
    return found[:, 0] if values.ndim == 1 else found


def _vtk_cells(solid: SolidMesh) -> np.ndarray:
    """Return the corners of the elements in the order of VTK."""
    if solid.kind != "hex":
        return solid.mesh.t.T
    corners = KINDS["hex"].elements[0].refdom.p.T.tolist()
    ring = [[0, 0], [1, 0], [1, 1], [0, 1]]
    order = [corners.index([float(x), float(y), z]) for z in (0.0, 1.0) for x, y in ring]
    return solid.mesh.t.T[:, order]


def surface_polygons(solid: SolidMesh) -> tuple[np.ndarray, np.ndarray]:
    """Return what is seen of a mesh: corners of polygons (n, 3 or 4) and the element of each.

    In the plane the elements themselves, in space the facets of the surface.
    """
    mesh = solid.mesh
    if solid.dim == 2:
        return mesh.t.T, np.arange(mesh.nelements)
    facets = mesh.boundary_facets()
    corners = mesh.facets[:, facets].T
    if corners.shape[1] == 4:  # around the facet, not across it
        corners = np.array([_around(mesh.p[:, quad], quad) for quad in corners])
    return corners, mesh.f2t[0, facets]


def _around(places: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """Order the four corners of a facet along its edge."""
    away = places - places.mean(axis=1, keepdims=True)
    first, second = np.linalg.svd(away)[0].T[:2]
    return quad[np.argsort(np.arctan2(second @ away, first @ away))]
