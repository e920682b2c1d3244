"""The lazy answer of a cell: linear elastic, until the first of its points reaches the end of elasticity.

Points at which nothing has happened yet can share one elastic answer. It is exact: a load is let through only
if no point of the cell, in the true elastic field of that load, has passed the margin of its law.
"""

from dataclasses import dataclass, replace

import numpy as np

from scalebridge.cells.path_medium import PathMedium
from scalebridge.cells.path_settings import PathSettings
from scalebridge.cells.path_tangent import consistent_tangent

_TOLERANCE = 1e-7  # of the elastic fields, which are solved for once


@dataclass(frozen=True)
class LazyAnswer:
    """The elastic answer of a cell at rest.

    Args:
        tangent: elastic stiffness of the cell, (6, 6), Mandel, Pa.
        fields: changes of the fluctuation by each component of the load.
        medium: the cell.
    """

    tangent: np.ndarray
    fields: np.ndarray
    medium: PathMedium

    def margin(self, load: np.ndarray) -> float:
        """Return the largest margin of all points under a load, <= 0 exactly while the cell is elastic.

        The strains of the load are put together from those of the unit loads' fields and evaluated at every
        point of the phases that may leave elasticity: one pass over the cell, a few Krylov steps' cost.
        """
        load = np.asarray(load, float)
        if not self.medium.laws.phases:
            return -1.0
        u = np.tensordot(load, self.fields, 1)
        strains = self.medium.operators.strains(u, load)
        return self.medium.laws.margin(strains, self.medium.laws.rest())


def elastic_answer(medium: PathMedium, settings: PathSettings) -> LazyAnswer:
    """Solve the six elastic load cases of a cell at rest."""
    load = np.zeros(6)
    strains = medium.operators.strains(np.zeros(medium.nodes), load)
    stored = medium.laws.tangent(strains, medium.laws.rest(), 0.0)
    tight = replace(settings, tangent_tolerance=min(settings.tangent_tolerance, _TOLERANCE))
    moved = consistent_tangent(medium, stored, None, None, tight)
    return LazyAnswer(moved.tangent, moved.fields.astype(float), medium)
