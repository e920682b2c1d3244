"""Flux-weighted averages over regions and groups, as a transfer between levels."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.transfer import Transfer


class FluxCondensation(Transfer):
    """Cross-sections upwards by flux-weighted averages over regions and groups, downwards as they are.

    restrict: S_RG = sum w s / sum w over regions r in R and groups g in G, with w = flux times volume, so
    that S_RG times the flux of R and G is the reaction rate; prolong: s_rg = S_RG. With inner products
    weighted by w one is the adjoint of the other.

    Args:
        weight: (regions, groups) flux times volume.
        region: coarse region of each fine one.
        group: coarse group of each fine one.

    Raises:
        InputError: lengths differ, or a coarse region or group is empty.

    Example:
        >>> up = FluxCondensation(np.array([[3.0, 1.0]]), (0,), (0, 0))
        >>> up.restrict(jnp.array([[1.0, 5.0]])).tolist()
        [[2.0]]
    """

    weight: np.ndarray
    region: tuple[int, ...] = eqx.field(static=True)
    group: tuple[int, ...] = eqx.field(static=True)

    def __check_init__(self):
        for name, given, count in (
            ("region", self.region, self.weight.shape[0]),
            ("group", self.group, self.weight.shape[1]),
        ):
            if len(given) != count or set(given) != set(range(max(given, default=0) + 1)):
                raise InputError(
                    name,
                    got=f"{len(given)} labels {sorted(set(given))[:8]}",
                    wanted=f"{count} labels that count from 0 without a gap",
                    cure="number coarse regions and groups from 0",
                )

    @property
    def fine_shape(self) -> tuple[int, ...]:
        """Regions and groups."""
        return self.weight.shape

    @property
    def coarse_shape(self) -> tuple[int, ...]:
        """Coarse regions and groups."""
        return max(self.region) + 1, max(self.group) + 1

    @property
    def coarse_weight(self) -> Float[Array, "regions groups"]:
        """Weights summed."""
        return self._sum(jnp.asarray(self.weight))

    def restrict(self, fine: Float[Array, "..."]) -> Float[Array, "..."]:
        """Average with the flux as weight."""
        return self._sum(jnp.asarray(self.weight) * fine) / self.coarse_weight

    def prolong(self, coarse: Float[Array, "..."]) -> Float[Array, "..."]:
        """Give every fine region and group the value of its coarse one."""
        return coarse[jnp.array(self.region)][:, jnp.array(self.group)]

    def inner_fine(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """Sum of the product, weighted with flux times volume."""
        return jnp.sum(self.weight * first * second)

    def inner_coarse(self, first: Float[Array, "..."], second: Float[Array, "..."]) -> Float[Array, ""]:
        """The same on the coarse level."""
        return jnp.sum(self.coarse_weight * first * second)

    def _sum(self, field: Float[Array, "..."]) -> Float[Array, "..."]:
        rows, columns = self.coarse_shape
        regions = jnp.zeros((rows, field.shape[1])).at[jnp.array(self.region)].add(field)
        return jnp.zeros((rows, columns)).at[:, jnp.array(self.group)].add(regions)


def group_starts(groups: Any, count: int, argument: str = "groups") -> tuple[int, ...]:
    """Return the first fine group of each coarse one.

    Raises:
        InputError: they do not start at 0, do not ascend, or leave the fine ones.
    """
    if groups is None:
        return tuple(range(count))
    starts = tuple(groups) if hasattr(groups, "__iter__") else (groups,)
    whole = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in starts)
    if (
        not whole
        or not starts
        or starts[0] != 0
        or list(starts) != sorted(set(starts))
        or starts[-1] >= count
    ):
        raise InputError(
            argument,
            got=repr(groups),
            wanted=f"first groups that ascend from 0, below {count}",
            cure=f"pass {argument}=(0, 4) for two groups of seven",
        )
    return tuple(int(s) for s in starts)
