"""Values of a structure's increment as files have them: fields on the mesh; what is seen of the mesh."""

import numpy as np

from scalebridge.structures.equilibrium import Trial
from scalebridge.structures.kinematics import Kinematics
from scalebridge.structures.solid_mesh import KINDS, SolidMesh
from scalebridge.structures.structure_study import cauchy, von_mises


def node_displacements(kinematics: Kinematics, u: np.ndarray) -> np.ndarray:
    """Return the displacements of the mesh's nodes, (dim, nodes)."""
    return np.asarray(u)[kinematics.basis.nodal_dofs]


def frame_values(trial: Trial) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return displacements of nodes (nodes, 3), m, and means over elements by name.

    Those are stress (9 components, Pa), strain (9; finite strain: the deformation gradient) and equivalent
    stress (Pa); stresses are true ones.

    Args:
        trial: an equilibrium.
    """
    k = trial.structure.kinematics
    loads = k.loads(trial.u, trial.across)
    stresses = cauchy(trial.answers, loads).reshape(k.points, 9)
    strains = loads if k.finite else cauchy(loads, loads).reshape(k.points, 9)
    values = {"stress": stresses, "strain": strains, "equivalent stress": von_mises(trial.answers, loads)}
    return _in_space(node_displacements(k, trial.u)), {name: _means(k, v) for name, v in values.items()}


def mesh_places(solid: SolidMesh) -> tuple[np.ndarray, str, np.ndarray]:
    """Return the nodes (nodes, 3), m, meshio's name of the elements, and their nodes in VTK's order."""
    return _in_space(solid.mesh.p), KINDS[solid.kind].cell, _vtk_cells(solid)


def _in_space(vectors: np.ndarray) -> np.ndarray:
    """Return (n, 3) of (2 or 3, n): the plane lies at z = 0."""
    return np.pad(vectors, ((0, 3 - len(vectors)), (0, 0))).T


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
