"""fedoo: assembled trilinear hexahedra with eight points, periodic constraints eliminated, SciPy's CG.

Its matrix and its solver are its own; six unit mean stresses are solved and the compliance is inverted, as
its `get_homogenized_stiffness` does. Direct solvers do not fit beyond some 32^3 voxels.
"""

from typing import Any

import fedoo
import numpy as np
from fedoo.homogen.tangent_stiffness import get_homogenized_stiffness

from benchmarks.elastic import POISSON
from benchmarks.measure import Answer, compete

_MANDEL = np.array([0, 1, 2, 5, 4, 3])  # its order is xx, yy, zz, xy, xz, yz
_ROOT = np.array([1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2), np.sqrt(2)])


def prepare(job: dict[str, Any], labels: np.ndarray) -> Any:
    space = fedoo.ModelingSpace("3D")
    x, y, z = (n + 1 for n in labels.shape)
    edges = {f"{axis}_max": n / labels.shape[0] for axis, n in zip("xyz", labels.shape, strict=True)}
    mesh = fedoo.mesh.box_mesh(x, y, z, **edges)
    middles = mesh.nodes[mesh.elements].mean(axis=1) * labels.shape[0]
    owner = labels[tuple(np.floor(middles).astype(int).T)]
    parts = []
    for label, young in enumerate(job["conductivities"]):
        mesh.add_element_set(np.flatnonzero(owner == label), f"phase {label}")
        law = fedoo.constitutivelaw.ElasticIsotrop(young, POISSON)
        form = fedoo.weakform.StressEquilibrium(law, space=space)
        part = mesh.extract_elements(f"phase {label}")
        parts.append(fedoo.Assembly.create(form, part, "hex8"))
    return fedoo.Assembly.sum(*parts)


def solve(assembly: Any) -> Answer:
    stiffness = np.array(get_homogenized_stiffness(assembly, solver="cg"))
    ours = stiffness[np.ix_(_MANDEL, _MANDEL)] * np.outer(_ROOT, _ROOT)
    return Answer(ours, [0] * 6, converged=True)


if __name__ == "__main__":
    compete(prepare, solve)
