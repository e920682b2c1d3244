"""OpenNDM on the published cores, in an environment of its own; prints JSON.

Called by `benchmarks.core_diffusion`: a JSON of problems, each a map of equal nodes with a number for each
composition (-1 where nothing is), the edge of the nodes and the compositions; "cut" says into how many nodes
each is cut.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import openndm


def main():
    found = []
    for case in json.loads(Path(sys.argv[1]).read_text()):
        library = openndm.XSLibrary(n_groups=2, n_compositions=len(case["compositions"]))
        for number, composition in enumerate(case["compositions"]):
            library.set_composition(number, **composition)
        library.finalize()
        nodes = np.array(case["nodes"])
        nodes = np.where(nodes < 0, openndm.INACTIVE, nodes)[None, ::-1]  # its first row is the southern one
        geometry = openndm.Geometry.from_lattice(
            nodes,
            pitch=(case["edge"], case["edge"], 20.0),
            subdivide=(case["cut"], case["cut"], 1),
            boundaries={
                "x_min": "reflective", "y_max": "reflective", "x_max": "vacuum", "y_min": "vacuum",
                "z_min": "reflective", "z_max": "reflective",
            },
            outside="vacuum",
        )  # fmt: skip
        settings = openndm.Settings(
            verbosity=0, k_tolerance=1e-10, fission_source_tolerance=1e-9, inner_tolerance=1e-9,
            max_inner=400, max_outer=5000,
        )  # fmt: skip
        for kernel in ("fdm", "nem", "sanm"):
            began = time.process_time()
            model = openndm.Model(geometry, library, settings)
            result = model.solve(kernel=kernel)
            seconds = time.process_time() - began
            power = np.asarray(result.radial_power())[::-1]
            found.append(
                {"name": case["name"], "edge": case["edge"] / case["cut"], "kernel": kernel,
                 "k": result.k_eff, "seconds": seconds, "power": power.tolist()}
            )  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()
