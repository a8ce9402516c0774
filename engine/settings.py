"""The one reader of the environment: texts, numbers and choices, and errors that name them.

A variable that is set to nothing counts as not set, which is what make and compose files export.
Whoever needs settings is handed a mapping: ENVIRONMENT by a command, a plain dict by a test.
"""

import os
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from engine.errors import ConfigError

Env = Mapping[str, str]
# What this process was started with. Nobody writes it: settings are handed on as values.
ENVIRONMENT: Final[Env] = MappingProxyType(os.environ)
# where `make serve` and the live demo have the feature API, and the documents say it is
API_PORT: Final = 6566

Number = TypeVar("Number", int, float)
NUMBER = {int: re.compile(r"[+-]?[0-9]+"), float: re.compile(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", re.I)}


def text(env: Env, name: str, default: str = "") -> str:
    """The variable's text, or the default where it is not set."""
    return env.get(name) or default


def number(
    env: Env,
    name: str,
    default: Number,
    least: float,
    most: float = float("inf"),
    *,
    what: str = "a number",
) -> Number:
    """The variable as a number of the default's type, from least to most.

    what: it is, for the error. Errors: ConfigError with the variable, its value and the limits.
    """
    given = env.get(name) or str(default)
    kind = type(default)
    try:
        value = kind(given) if NUMBER[kind].fullmatch(given) else None
    except ValueError:  # 1.2.3
        value = None
    if value is None or not (least <= value <= most and value < float("inf")):
        limits = f"of at least {least:g}" if most == float("inf") else f"from {least:g} to {most:g}"
        raise ConfigError(f"{name}={given!r}: set it to {what} {limits}")
    return value


def choice(env: Env, name: str, choices: Collection[str]) -> str | None:
    """The variable's text, one of choices, or None where it is not set. Errors: ConfigError."""
    given = env.get(name) or None
    if given is not None and given not in choices:
        raise ConfigError(f"{name}={given!r} is unknown; use one of {', '.join(choices)}")
    return given
