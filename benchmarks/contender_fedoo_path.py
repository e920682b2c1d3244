"""fedoo: a J2 cell over a path of mean strains; Newton, periodic constraints and direct solver are its own.

Called as `python -m benchmarks.contender_fedoo_path JOB.npz`; prints JSON: mean stress xx by step, seconds.
Its law is simcoon's EPICP: sigma_y + k p^m with m = 1.
"""

import json
import sys
import time

import fedoo
import numpy as np


def main() -> None:
    job = np.load(sys.argv[1])
    phase, path = job["phase"], job["path"]
    bulk, shear, limit, modulus = job["matrix"]
    space = fedoo.ModelingSpace("3D")
    counts = [n + 1 for n in phase.shape]
    mesh = fedoo.mesh.box_mesh(*counts, x_max=1, y_max=1, z_max=1)
    middles = mesh.nodes[mesh.elements].mean(axis=1) * np.array(phase.shape)
    owner = phase[tuple(np.floor(middles).astype(int).T)]
    parts = []
    for label, (k, g) in enumerate([(bulk, shear), job["inclusion"]]):
        young, poisson = 9 * k * g / (3 * k + g), (3 * k - 2 * g) / (6 * k + 2 * g)
        mesh.add_element_set(np.flatnonzero(owner == label), f"phase {label}")
        if label == 0:
            law = fedoo.constitutivelaw.Simcoon("EPICP", np.array([young, poisson, 0.0, limit, modulus, 1.0]))
        else:
            law = fedoo.constitutivelaw.ElasticIsotrop(young, poisson)
        form = fedoo.weakform.StressEquilibrium(law, space=space, nlgeom=False)
        parts.append(fedoo.Assembly.create(form, mesh.extract_elements(f"phase {label}"), "hex8"))
    assembly = fedoo.Assembly.sum(*parts)
    problem = fedoo.problem.NonLinear(assembly, nlgeom=False)
    problem.bc.add(fedoo.constraint.PeriodicBC("small_strain"))
    centre = [int(np.linalg.norm(mesh.nodes - 0.5, axis=1).argmin())]
    problem.bc.add("Dirichlet", centre, "Disp", 0)
    problem.set_nr_criterion("Displacement", tol=1e-6, max_subiter=20)
    began, answers = time.perf_counter(), []
    for strain in path:
        problem.bc.remove("mean") if answers else None
        bcs = [
            problem.bc.add("Dirichlet", name, value, name="mean")
            for name, value in zip(("E_xx", "E_yy", "E_zz", "E_xy", "E_xz", "E_yz"), strain, strict=True)
        ]
        del bcs
        problem.nlsolve(dt=1, tmax=1, print_info=0)
        answers.append(float(_mean_stress(parts, owner)))
    elapsed = time.perf_counter() - began
    sys.stdout.write(json.dumps({"s11": answers, "seconds": elapsed}) + "\n")


def _mean_stress(parts: list, owner: np.ndarray) -> float:
    """Mean of sigma_xx over the cell: the elements are alike."""
    total = 0.0
    for label, part in enumerate(parts):
        stress = np.asarray(part.sv["Stress"][0])
        total += float(stress.mean()) * np.count_nonzero(owner == label)
    return total / owner.size


if __name__ == "__main__":
    main()
