"""Tangent and secant expansion: two numbers for one thermal strain, and the way from one to the other.

With the thermal strain e(T), zero at the reference temperature T0, the tangent expansion is de/dT, and the
secant one e / (T - T0). Handbooks mostly give the secant one; stresses over a small step need the tangent
one.
"""

from dataclasses import replace
from typing import Any

import jax
import numpy as np
from scipy.interpolate import CubicSpline

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.laws.temperature import TemperatureConstant, from_table


def tangent_from_secant(temperatures: Any, secant: Any, reference: float) -> np.ndarray:
    """Tangent expansion at a table's temperatures from the secant expansion.

    alpha_tangent = d/dT [(T - T0) alpha_secant], the derivative of a cubic spline through the thermal
    strains.

    Args:
        temperatures: (n,) K, ascending, at least two.
        secant: (n,) secant expansion, 1/K.
        reference: T0 in K, where the thermal strain is zero.

    Returns:
        (n,) 1/K.

    Raises:
        InputError: tables of different length, or temperatures that do not ascend.

    Limits: exact where the thermal strain is a polynomial of third degree in T, of second with three points
        and of first with two; otherwise the error falls with the third power of the spacing.

    Example:
        >>> tangent_from_secant([300.0, 400.0, 500.0], [10e-6, 11e-6, 12e-6], 300.0).round(9).tolist()
        [1e-05, 1.2e-05, 1.4e-05]
    """
    knots, values = _checked(temperatures, secant)
    return CubicSpline(knots, (knots - reference) * values)(knots, 1)


def secant_from_tangent(temperatures: Any, tangent: Any, reference: float) -> np.ndarray:
    """Secant expansion at a table's temperatures from the tangent expansion.

    alpha_secant = 1 / (T - T0) integral from T0 to T of alpha_tangent, the integral of a cubic spline; at T0
    itself the two are equal.

    Args:
        temperatures: (n,) K, ascending, at least two.
        tangent: (n,) tangent expansion, 1/K.
        reference: T0 in K, inside the table.

    Returns:
        (n,) 1/K.

    Raises:
        InputError: tables of different length, temperatures that do not ascend, or a reference outside them.

    Example:
        >>> secant_from_tangent([300.0, 400.0, 500.0], [10e-6, 12e-6, 14e-6], 300.0).round(9).tolist()
        [1e-05, 1.1e-05, 1.2e-05]
    """
    knots, values = _checked(temperatures, tangent)
    if not knots[0] <= reference <= knots[-1]:
        raise InputError(
            "reference",
            got=f"{reference:g} K",
            wanted=f"a temperature of the table, {knots[0]:g} to {knots[-1]:g} K",
            cure="extend the table to the reference temperature: nothing is extrapolated",
        )
    spline = CubicSpline(knots, values)
    strain = spline.antiderivative()
    away = knots - reference
    at_reference = np.abs(away) <= 1e-9 * reference
    mean = (strain(knots) - strain(reference)) / np.where(at_reference, 1.0, away)
    return np.where(at_reference, spline(reference), mean)


def tangent_constant(secant: TemperatureConstant, reference: float, argument: str) -> TemperatureConstant:
    """Turn a secant expansion into the tangent one, whatever way it depends on the temperature.

    A table is converted at its own temperatures and interpolated as before; a formula is differentiated.

    Args:
        secant: the secant expansion.
        reference: temperature of zero thermal strain, K.
        argument: whose it is, for errors.

    Raises:
        PhaseError: a function that JAX cannot differentiate.
    """
    if secant.law is None:
        return secant
    if secant.source == "table":
        knots = np.array(secant.knots)
        values = tangent_from_secant(knots, [secant.at(T) for T in knots], reference)
        made = from_table(secant.name, secant.unit, knots, values, secant.interpolation, argument)
        return _with_std(made, secant)
    law = secant.law

    def strain(temperature: Any) -> Any:
        return (temperature - reference) * law(temperature)

    slope = jax.grad(strain)
    try:
        slope(float(secant.points()[0]) if secant.knots else reference)
    except Exception as error:  # a function of NumPy, or none of numbers
        raise PhaseError(
            argument,
            got=f"a secant {secant.name} whose function JAX cannot differentiate",
            wanted="a table, a formula, or a function written with jax.numpy",
            cure="give the tangent expansion instead",
        ) from error
    made = TemperatureConstant(
        secant.name, secant.unit, secant.source, slope, knots=secant.knots, text=secant.text
    )
    return _with_std(made, secant)


def _with_std(made: TemperatureConstant, secant: TemperatureConstant) -> TemperatureConstant:
    return replace(made, std=secant.std)


def _checked(temperatures: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    knots, numbers = np.asarray(temperatures, dtype=float), np.asarray(values, dtype=float)
    if knots.ndim != 1 or knots.shape != numbers.shape or knots.size < 2 or np.any(np.diff(knots) <= 0):
        raise InputError(
            "temperatures",
            got=f"{knots.size} temperatures and {numbers.size} values",
            wanted="as many values as temperatures, at least two, ascending",
            cure="sort the table by temperature",
        )
    return knots, numbers
