"""What the reference has to know of this code's style: Equinox modules are dataclasses; examples are code."""

import re
from typing import Any

import griffe

_MODULE = "equinox.Module"


class HouseStyle(griffe.Extension):
    """Gives every Equinox module its constructor, and lets its examples be shown as code."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Go over all that was loaded."""
        _visit(pkg)


def _visit(scope: griffe.Module | griffe.Class) -> None:
    for member in [scope, *scope.members.values()]:
        if not member.is_alias and member.docstring is not None:
            member.docstring.value = re.sub(r"(?m)^(\s*)Example:$", r"\1Examples:", member.docstring.value)
    for member in list(scope.members.values()):
        if isinstance(member, griffe.Module | griffe.Class):
            _visit(member)
    if isinstance(scope, griffe.Class) and "__init__" not in scope.members and _is_equinox(scope):
        _set_constructor(scope)


def _is_equinox(found: griffe.Class) -> bool:
    outside = any(isinstance(b, griffe.Expr) and b.canonical_path == _MODULE for b in found.bases)
    return outside or any(_is_equinox(parent) for parent in found.mro())


def _set_constructor(found: griffe.Class) -> None:
    """Write the constructor that a dataclass has: one argument a field, those of the parents first."""
    fields = {}
    for owner in (*reversed(found.mro()), found):
        for name, member in owner.members.items():
            if isinstance(member, griffe.Attribute) and _is_field(member):
                fields[name] = griffe.Parameter(
                    name,
                    annotation=member.annotation,
                    kind=griffe.ParameterKind.positional_or_keyword,
                    default=_default(member),
                )
    this = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    constructor = griffe.Function(
        "__init__", parameters=griffe.Parameters(this, *fields.values()), parent=found
    )
    found.set_member("__init__", constructor)


def _is_field(member: griffe.Attribute) -> bool:
    return member.annotation is not None and "property" not in member.labels


def _default(member: griffe.Attribute) -> str | griffe.Expr | None:
    """Return a field's default, which may be an argument of `eqx.field`."""
    value = member.value
    if not isinstance(value, griffe.ExprCall):
        return value
    given = {a.name: a.value for a in value.arguments if isinstance(a, griffe.ExprKeyword)}
    return given.get("default")
