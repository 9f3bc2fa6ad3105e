"""Luigi targets as datasets: type, and namespace and name after OpenLineage's rules (naming.md, spec 2-0-2).

A target is recognised by the names of its classes, so no library of `luigi.contrib` is imported, and described by its
instance attributes, so nothing of the user's runs. What cannot be named honestly has a type only. Passwords, user info and
query strings (shared access signatures) never leave here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from luigi.target import FileSystemTarget, Target

from plumbline_luigi import database_names, file_names

_NAMES = {**file_names.BY_CLASS, **database_names.BY_CLASS}
_known: dict[type, tuple] = {}


def targets_in(struct) -> Iterator[Target]:
    """Every target in what `output()` or `input()` gave: lists, tuples and dictionaries of targets. Consumes no iterator."""
    if isinstance(struct, Target):
        yield struct
    elif isinstance(struct, dict):
        for item in struct.values():
            yield from targets_in(item)
    elif isinstance(struct, (list, tuple, set, frozenset)):
        for item in struct:
            yield from targets_in(item)


def describe_targets(targets: Iterable[Target], answers: Iterable = ()) -> list[dict]:
    """Each target with the answer of its `exists()`, as far as Luigi asked for it."""
    return [describe_target(target, answer) for target, answer in zip_longest(targets, answers) if target is not None]


def describe_target(target: Target, exists=None) -> dict:
    inner = vars(target).get("_target") if type(target).__module__.partition(".")[0] != "luigi" else None
    if isinstance(inner, Target):
        # A wrapper (gokart's, for example) is named after what it holds.
        return {**describe_target(inner, exists), "type": type(target).__name__}
    kind, namer = _recognise(type(target))
    described = {"type": kind}
    named = _named(namer, target)
    if named:
        described["namespace"], described["name"] = named
    if isinstance(exists, bool):
        described["exists"] = exists
    return described


def _recognise(kind: type) -> tuple:
    """The nearest class that Luigi ships, and how it is named; for others their own name and how files are named."""
    if kind not in _known:
        for base in kind.__mro__:
            namer = _NAMES.get((base.__module__, base.__name__))
            if namer:
                _known[kind] = (base.__name__, namer)
                break
        else:
            _known[kind] = (kind.__name__, file_names.any_file if issubclass(kind, FileSystemTarget) else None)
    return _known[kind]


def _named(namer, target):
    if namer is None:
        return None
    try:
        namespace, name = namer(target) or (None, None)
    except Exception:
        # An attribute that is not what Luigi's constructor makes it: the target keeps its type, and no name is guessed.
        return None
    return (str(namespace), str(name)) if namespace and name else None
