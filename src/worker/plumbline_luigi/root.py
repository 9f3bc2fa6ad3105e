"""The root task: its module, its class and its parameters, each refused with the reason when it cannot be used."""

from __future__ import annotations

import difflib
import importlib
import json

from luigi.parameter import ParameterVisibility
from luigi.task import Config
from luigi.task_register import Register

from plumbline_luigi.refusal import Refusal
from plumbline_luigi.request import Request
from plumbline_luigi.trace import describe

MOST_NAMES = 10

SHOWN = 80


def import_module(name: str) -> None:
    """Imports the user's module as Luigi would; whatever leaves it is a refusal."""
    try:
        importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        raise Refusal(
            "ERR_MODULE_IMPORT",
            f"Module {name} cannot be imported: it ends the process (sys.exit({error.code!r})) while it is imported",
            'Guard what only a script should do with `if __name__ == "__main__":`.',
            describe(error),
        ) from None
    except BaseException as error:
        raise Refusal(
            "ERR_MODULE_IMPORT",
            f"Module {name} cannot be imported: {type(error).__name__}: {describe(error)['message']}",
            _import_remedy(name, error),
            describe(error),
        ) from None


def _import_remedy(name: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name and (name + ".").startswith(error.name + "."):
        return "Check the input `module`: it is looked for in the working directory and on PYTHONPATH."
    if isinstance(error, ImportError):
        return "Install what the module imports into this Python, or set PYTHONPATH."
    return "Correct the module; `python -c 'import …'` in the working directory shows the same error."


def find_family(family: str, module: str):
    """The task class of this family; raises Refusal with near names."""
    known = Register._get_reg().get(family)
    if known == Register.AMBIGUOUS_CLASS:
        places = sorted(one.__module__ for one in Register._reg if one.get_task_family() == family)
        raise Refusal(
            "ERR_TASK_UNKNOWN",
            f"Task {family} cannot be chosen: several classes have this family, in {', '.join(places)}",
            "Give one of them a task_namespace.",
        )
    if known is None:
        raise Refusal(
            "ERR_TASK_UNKNOWN",
            f"Task {family} does not exist in module {module}{_hint(family, module)}",
            "Check the input `task`: it is the task's family, with its namespace if it has one.",
        )
    return known


def _hint(family: str, module: str) -> str:
    """Near names, else what the module defines; configuration sections are families too, but nobody runs them."""
    tasks = [one for one in Register._reg if not issubclass(one, Config)]
    near = difflib.get_close_matches(family, [one.get_task_family() for one in tasks], n=3, cutoff=0.6)
    if near:
        return f": near names are {', '.join(near)}"
    own = sorted(one.get_task_family() for one in tasks if one.__module__ == module)
    return f": the module has {', '.join(own[:MOST_NAMES])}{' …' if len(own) > MOST_NAMES else ''}" if own else ""


def parse_parameters(family: type, request: Request) -> dict:
    """The root's parameters as values, from the request's texts; raises Refusal for the first kind of trouble found."""
    declared = dict(family.get_params())
    _refuse_unknown(family, declared, request)
    _refuse_public_secrets(family, declared, request)
    given = {name: _parse(family, declared, name, as_text(value), value) for name, value in request.parameters.items()}
    given.update({name: _parse(family, declared, name, text, None) for name, text in request.secret_parameters.items()})
    _refuse_missing(family, declared, given)
    return given


def as_text(value) -> str:
    """A JSON value as the text that Luigi parses: null is the empty text, which optional parameters read as None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (list, dict)) else str(value)


def _refuse_unknown(family, declared, request):
    unknown = [name for name in (*request.parameters, *request.secret_parameters) if name not in declared]
    if unknown:
        has = ", ".join(sorted(declared)) or "none"
        raise Refusal(
            "ERR_PARAMETER_INVALID",
            f"Task {family.get_task_family()} has no parameter {', '.join(unknown)}: its parameters are {has}",
            "Remove or rename it in the inputs `parameters` or `secrets`.",
        )


def _refuse_public_secrets(family, declared, request):
    for name in request.secret_parameters:
        if declared[name].visibility != ParameterVisibility.PRIVATE:
            kind = type(declared[name]).__name__
            raise Refusal(
                "ERR_SECRET_PARAMETER_PUBLIC",
                f"Parameter {name} of task {family.get_task_family()} cannot take a secret: it is not PRIVATE, "
                "so its value would be part of the task id and be sent to the scheduler",
                f"Declare it `{name} = luigi.{kind}(significant=False, "
                "visibility=luigi.parameter.ParameterVisibility.PRIVATE)`.",
            )


def _refuse_missing(family, declared, given):
    name_of = family.get_task_family()
    missing = [name for name, one in declared.items() if name not in given and not _has_value(name_of, name, one)]
    if missing:
        raise Refusal(
            "ERR_PARAMETER_INVALID",
            f"Task {name_of} cannot be built: parameter {', '.join(missing)} has no value and no default",
            "Give it in the input `parameters`, or in Luigi's configuration.",
        )


def _has_value(family, name, parameter) -> bool:
    try:
        return parameter.has_task_value(family, name)
    except Exception as error:
        raise Refusal(
            "ERR_PARAMETER_INVALID",
            f"Parameter {name} of task {family} has a value in the configuration that cannot be read: {error}",
            "Correct it in Luigi's configuration.",
        ) from None


def _parse(family, declared, name, text, shown):
    try:
        return declared[name].parse(text)
    except Exception as error:
        value = "" if shown is None else f" {_shortly(shown)}"
        why = "" if shown is None else f" {describe(error)['message']}"
        raise Refusal(
            "ERR_PARAMETER_INVALID",
            f"Parameter {name} of task {family.get_task_family()} cannot be read from its value{value} "
            f"as {type(declared[name]).__name__}: {type(error).__name__}{why}",
            "Correct it in the input `parameters`." if shown is not None else "Correct the secret's value.",
        ) from None


def _shortly(value) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
