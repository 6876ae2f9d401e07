"""``offerflow config``: the settings in force, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from console.cli.options import dir_option, output_option
from console.cli.output import print_json, print_table
from console.stack.client import connect
from console.stack.files import StackFiles
from offerflow.runtime import addresses
from offerflow.runtime.errors import DependencyDown
from offerflow.runtime.settings import Settings, environment, load_settings


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command(short_help="Print every setting, its variable and its source.")
@output_option
@dir_option
def show(output: str, directory: Path | None) -> None:
    """Print every setting with its environment variable and its source; secrets are hidden."""
    try:
        settings = connect(StackFiles.find(directory))
    except DependencyDown:  # no stack runs here: then what a program would start with
        settings = load_settings()
    given = environment()
    rows = [(name, value, _source(name, value, given)) for name, value in _flat(settings, "OFFERFLOW")]
    if output == "json":
        print_json({name: {"value": value, "source": source} for name, value, source in rows})
    else:
        print_table(("variable", "value", "source"), rows)


def _flat(model: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    separator = "_" if isinstance(model, Settings) else "__"
    for name in type(model).model_fields:
        value, variable = getattr(model, name), f"{prefix}{separator}{name.upper()}"
        if isinstance(value, BaseModel):
            yield from _flat(value, variable)
        elif isinstance(value, SecretStr):
            yield variable, "(hidden)"
        elif isinstance(value, dict):
            yield from ((f"{variable}__{key.upper()}", "(hidden)" if _secret(key) else v) for key, v in value.items())
        else:
            yield variable, _without_password(value) if isinstance(value, str) else value


def _without_password(value: str) -> str:
    """A URL without what may be secret in it, and with a word where that was."""
    if "://" not in value:
        return value
    told, parts = addresses.public_address(value), addresses.split(value)
    if parts is None:
        return told
    before, behind = "(hidden)@" if "@" in parts.netloc else "", "?(hidden)" if parts.query or parts.fragment else ""
    return told.replace("://", f"://{before}", 1) + behind


def _secret(key: str) -> bool:
    return "password" in key.lower() or "secret" in key.lower()


def _source(name: str, value: Any, given: dict[str, str]) -> str:
    if name in given:
        return "environment"
    defaults = dict(_flat(Settings.model_construct(), "OFFERFLOW"))
    return "default" if defaults.get(name) == value else "local stack"
