"""Figures and the self-contained HTML page.

The package itself can be called: `scalebridge.report(result, "out.html")` is `report.page.write_report`.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from scalebridge.core.saved import Told


class _CallablePackage(ModuleType):
    """A package that is also the verb of the same name, so that folder and face can share it."""

    def __call__(
        self,
        result: Told | Sequence[Told],
        path: str | os.PathLike[str],
        *,
        title: str | None = None,
    ) -> Path:
        """Write results as one self-contained HTML page; see `scalebridge.report.page.write_report`."""
        from scalebridge.report.page import write_report  # noqa: PLC0415 (the page imports this package)

        return write_report(result, path, title=title)


sys.modules[__name__].__class__ = _CallablePackage
