"""Estimate: what is known about named numbers, as a Gaussian or as weighted samples.

Both live in the unconstrained coordinates of their Specs, so that a spread never reaches an impossible value:
a positive quantity is log-normal, with the stated value as its median.
"""

import abc
import itertools
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError
from scalebridge.core.spec import Spec

Values = tuple[Array, ...]


class Estimate(eqx.Module):
    """What is known about a tuple of quantities, one Spec each."""

    specs: eqx.AbstractVar[tuple[Spec, ...]]

    @property
    @abc.abstractmethod
    def value(self) -> Values:
        """The central value of each quantity."""

    @property
    @abc.abstractmethod
    def std(self) -> Values:
        """The standard deviation of each quantity, in its own unit."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, count: int) -> Values:
        """Draw `count` values of each quantity; the draws are the first axis."""

    @abc.abstractmethod
    def push(self, function: Callable[..., Array], spec: Spec) -> "Estimate":
        """Return what is known about `function(*quantities)`."""

    @abc.abstractmethod
    def condition(
        self, matrix: Float[Array, "m n"], observed: Float[Array, " m"], noise: Float[Array, "m m"]
    ) -> "Estimate":
        """Return what is known after seeing `matrix @ coordinates + noise = observed`.

        Args:
            matrix: observation of the unconstrained coordinates.
            observed: what was seen.
            noise: covariance of the observation's Gaussian error, positive definite.
        """


class Gaussian(Estimate):
    """A Gaussian in unconstrained coordinates: mean and root, covariance = root rootᵀ.

    Args:
        specs: the quantities.
        mean: mean of all the coordinates, one quantity after the other.
        root: any matrix whose product with its transpose is the covariance.

    Example:
        >>> k = Spec("conductivity", "W/m/K", support="positive")
        >>> doubled = Gaussian.from_std((k,), (7.7,), (0.3,)).push(lambda x: 2.0 * x, k)
        >>> print(f"{doubled.value[0]:.2f} +- {doubled.std[0]:.2f}")
        15.40 +- 0.60
    """

    specs: tuple[Spec, ...] = eqx.field(static=True)
    mean: Float[Array, " n"]
    root: Float[Array, "n m"]

    @classmethod
    def from_std(cls, specs: tuple[Spec, ...], values: tuple, stds: tuple) -> "Gaussian":
        """Make independent quantities from values and standard deviations, matched to first order.

        For a positive quantity `value` is the median and std / value the deviation of its logarithm.
        """
        numbers = [jnp.asarray(v, dtype=float) for v in values]
        mean, root = _matched(specs, numbers, [jnp.asarray(s, dtype=float) for s in stds])
        return cls(specs, mean, root)

    @property
    def covariance(self) -> Float[Array, "n n"]:
        """Covariance of the unconstrained coordinates."""
        return self.root @ self.root.T

    @property
    def value(self) -> Values:
        return _centre(self)

    @property
    def std(self) -> Values:
        return _first_order_std(self)

    def sample(self, key: PRNGKeyArray, count: int) -> Values:
        noise = jax.random.normal(key, (count, self.root.shape[1]), dtype=self.mean.dtype)
        return _values(self.specs, self.mean + noise @ self.root.T)

    def push(self, function: Callable[..., Array], spec: Spec) -> "Gaussian":
        """Return the first-order Gaussian of `function`: its derivative carries the root along."""

        def coordinates(z):
            values = [s.from_unconstrained(c) for s, c in zip(self.specs, split(self.specs, z), strict=True)]
            return spec.to_unconstrained(function(*values))

        @jax.jit
        def carried(mean, root):
            middle, tangent = jax.linearize(coordinates, mean)
            return middle, jax.vmap(tangent, in_axes=1, out_axes=1)(root)

        return Gaussian((spec,), *carried(self.mean, self.root))

    def condition(
        self, matrix: Float[Array, "m n"], observed: Float[Array, " m"], noise: Float[Array, "m m"]
    ) -> "Gaussian":
        """Kalman's update in square-root form (Bierman 1977), which keeps the covariance positive."""
        carried = matrix @ self.root
        rows, cols = carried.shape
        noise_root = jnp.linalg.cholesky(noise)
        stacked = jnp.block([[noise_root, carried], [jnp.zeros((self.root.shape[0], rows)), self.root]])
        lower = jnp.linalg.qr(stacked.T, mode="r").T
        gain = jax.scipy.linalg.solve_triangular(
            lower[:rows, :rows], lower[rows:, :rows].T, lower=True, trans=1
        ).T
        mean = self.mean + gain @ (observed - matrix @ self.mean)
        return Gaussian(self.specs, mean, lower[rows:, rows : rows + cols])


class Samples(Estimate):
    """Weighted samples in unconstrained coordinates.

    Args:
        specs: the quantities.
        draws: one row a sample.
        log_weights: unnormalised logarithms of the weights.
    """

    specs: tuple[Spec, ...] = eqx.field(static=True)
    draws: Float[Array, "count n"]
    log_weights: Float[Array, " count"]

    @classmethod
    def from_values(cls, specs: tuple[Spec, ...], values: Values) -> "Samples":
        """Make equally weighted samples from arrays of values whose first axis is the draw."""
        draws = [jax.vmap(s.to_unconstrained)(jnp.asarray(v)) for s, v in zip(specs, values, strict=True)]
        stacked = jnp.concatenate([d.reshape(d.shape[0], -1) for d in draws], axis=1)
        return cls(specs, stacked, jnp.zeros(stacked.shape[0]))

    @property
    def weights(self) -> Float[Array, " count"]:
        """Weights with sum 1."""
        return jax.nn.softmax(self.log_weights)

    @property
    def value(self) -> Values:
        """Weighted mean of each quantity in its own unit."""
        return tuple(jnp.tensordot(self.weights, v, 1) for v in _values(self.specs, self.draws))

    @property
    def std(self) -> Values:
        values = _values(self.specs, self.draws)
        return tuple(
            jnp.sqrt(jnp.tensordot(self.weights, (v - m) ** 2, 1))
            for v, m in zip(values, self.value, strict=True)
        )

    def sample(self, key: PRNGKeyArray, count: int) -> Values:
        chosen = jax.random.choice(key, self.draws.shape[0], (count,), p=self.weights)
        return _values(self.specs, self.draws[chosen])

    def push(self, function: Callable[..., Array], spec: Spec) -> "Samples":
        """Return the samples of `function`, evaluated one draw after the other."""
        pushed = jax.lax.map(
            lambda z: spec.to_unconstrained(
                function(
                    *(s.from_unconstrained(c) for s, c in zip(self.specs, split(self.specs, z), strict=True))
                )
            ),
            self.draws,
        )
        return Samples((spec,), pushed, self.log_weights)

    def condition(
        self, matrix: Float[Array, "m n"], observed: Float[Array, " m"], noise: Float[Array, "m m"]
    ) -> "Samples":
        """Reweight every sample by the likelihood of what was seen."""
        misfit = observed - self.draws @ matrix.T
        whitened = jax.scipy.linalg.solve_triangular(jnp.linalg.cholesky(noise), misfit.T, lower=True)
        return Samples(self.specs, self.draws, self.log_weights - 0.5 * jnp.sum(whitened**2, axis=0))


def split(specs: tuple[Spec, ...], coordinates: Float[Array, "..."]) -> list[Array]:
    """Cut stacked coordinates (along the first axis) into one piece a quantity."""
    sizes = [s.size for s in specs]
    if coordinates.shape[0] != sum(sizes):
        raise InputError(
            "coordinates",
            got=f"{coordinates.shape[0]}",
            wanted=f"{sum(sizes)} of them",
            cure="match the specs",
        )
    edges = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
    return [coordinates[a:b] for a, b in itertools.pairwise(edges)]


# Compiled as wholes: a few small functions instead of hundreds of single operations, each compiled alone.
@eqx.filter_jit
def _matched(specs: tuple[Spec, ...], values: list[Array], stds: list[Array]) -> tuple[Array, Array]:
    pairs = list(zip(specs, values, strict=True))
    mean = jnp.concatenate([s.to_unconstrained(v) for s, v in pairs])
    slopes = jnp.concatenate([_slope(s, v) for s, v in pairs])
    spread = jnp.concatenate([jnp.ravel(s) for s in stds])
    return mean, jnp.diag(spread / slopes)


@eqx.filter_jit
def _centre(known: Gaussian) -> Values:
    pieces = split(known.specs, known.mean)
    return tuple(s.from_unconstrained(z) for s, z in zip(known.specs, pieces, strict=True))


@eqx.filter_jit
def _first_order_std(known: Gaussian) -> Values:
    found = []
    for spec, z, root in zip(
        known.specs, split(known.specs, known.mean), split(known.specs, known.root), strict=True
    ):
        jacobian = jax.jacfwd(lambda c, s=spec: s.from_unconstrained(c).ravel())(z)
        found.append(jnp.linalg.norm(jacobian @ root, axis=1).reshape(spec.shape))
    return tuple(found)


def _slope(spec: Spec, value: Array) -> Float[Array, " n"]:
    """Derivative of a quantity in its coordinate, for the supports whose coordinates are independent."""
    if spec.support not in ("real", "positive", "interval") or spec.symmetric:
        raise InputError(
            f"std of '{spec.name}'",
            got=f"support {spec.support!r}",
            wanted="a real, positive or interval quantity",
            cure="give samples instead",
        )
    z = spec.to_unconstrained(value)
    return jax.jvp(lambda c: spec.from_unconstrained(c).ravel(), (z,), (jnp.ones_like(z),))[1]


def _values(specs: tuple[Spec, ...], draws: Float[Array, "count n"]) -> Values:
    pieces = split(specs, draws.T)
    return tuple(jax.vmap(s.from_unconstrained)(p.T) for s, p in zip(specs, pieces, strict=True))
