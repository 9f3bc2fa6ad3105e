"""Whether this Luigi is there and one that the worker knows."""

from __future__ import annotations

import importlib
import re

from plumbline_luigi.refusal import Refusal
from plumbline_luigi.trace import describe

OLDEST = (3, 6)
BELOW = (3, 9)


def import_luigi() -> str:
    """Imports luigi and returns its version; raises Refusal."""
    try:
        luigi = importlib.import_module("luigi")
        importlib.import_module("luigi.retcodes")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "luigi":
            raise Refusal(
                "ERR_LUIGI_NOT_FOUND",
                "Luigi cannot be imported by this Python: it is not installed there",
                f"Install it into that Python: pip install 'luigi>={_dotted(OLDEST)},<{_dotted(BELOW)}'.",
            ) from None
        raise _broken(error) from None
    except Exception as error:
        raise _broken(error) from None
    version = str(getattr(luigi, "__version__", "without a version"))
    numbers = re.match(r"(\d+)\.(\d+)", version)
    if not numbers or not OLDEST <= tuple(map(int, numbers.groups())) < BELOW:
        raise Refusal(
            "ERR_LUIGI_UNSUPPORTED",
            f"Luigi {version} at {getattr(luigi, '__file__', 'an unknown place')} cannot be used: "
            f"the worker supports {_dotted(OLDEST)} up to, not including, {_dotted(BELOW)}",
            f"Install a supported one: pip install 'luigi>={_dotted(OLDEST)},<{_dotted(BELOW)}'.",
        )
    return version


def _broken(error: BaseException) -> Refusal:
    return Refusal(
        "ERR_MODULE_IMPORT",
        f"Luigi itself cannot be imported: {type(error).__name__}: {error}",
        "Check Luigi's requirements and its configuration file (luigi.cfg, luigi.toml, LUIGI_CONFIG_PATH).",
        describe(error),
    )


def _dotted(version: tuple) -> str:
    return ".".join(map(str, version))
