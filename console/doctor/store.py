"""The relational store and the schema registry: there, up to date, with room, and within reach of all who need them."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import psutil
from sqlalchemy import inspect, select
from sqlalchemy.exc import DBAPIError

from console.doctor.brokers import CLIENT
from console.doctor.examining import STORE, cannot_be_asked
from console.doctor.finding import Check, Finding, size, some
from console.doctor.stages import HISTORY, WEBHOOKS
from offerflow.runtime.errors import ConfigError, DependencyDown, StoreDown
from offerflow.runtime.kafka.inspection import Inspection
from offerflow.runtime.registry import ExternalRegistry, public_url
from offerflow.runtime.settings import Settings
from offerflow.runtime.store.looking import address_of, ask, file_of, open_to_look, writes_ahead
from offerflow.runtime.store.tables import METADATA, VERSION, store_version
from offerflow.runtime.store.transactions import reading, shown

AREA = "store"
MIB = 1024 * 1024
REMOTE = ("nfs", "cifs", "smb", "sshfs", "9p", "afs", "ceph", "glusterfs")
"""Beginnings of the names of file systems that SQLite's log of writes does not work on."""

REACHABLE = Check("store-reachable", AREA, "a store that answers within 4 s")
TABLES = Check("store-tables", AREA, f"all tables, of version {VERSION}")
DISK = Check("store-disk", AREA, "over 1 GiB and a tenth of its file system free")
PLACE = Check("store-file-system", AREA, "SQLite in WAL mode on a disk of this machine")
SHARED = Check("store-shared", AREA, "SQLite only where all programs run on one machine")
REGISTRY = Check("registry-reachable", AREA, "the registry of OFFERFLOW_REGISTRY__URL answers, if one is set")
FILE = (TABLES, DISK, PLACE)


def reach(settings: Settings) -> Iterator[Finding]:
    try:
        engine = open_to_look(settings)
        try:
            with reading(engine) as connection:
                ask(connection)
            yield REACHABLE.ok(shown(engine))
        finally:
            engine.dispose()
    except StoreDown as error:
        there = _file(settings)
        if there is not None and not there.exists():
            yield REACHABLE.warn(str(error), "start the program history, or set OFFERFLOW_STORE__URL as it has it")
        else:
            yield REACHABLE.bad(str(error), "start it, or check OFFERFLOW_STORE__URL")
    except DBAPIError as error:
        yield REACHABLE.bad(
            f"what is there cannot be read as a store ({_said(error)})",
            "check OFFERFLOW_STORE__URL; if the file is damaged, put back a copy of it: history fills again by itself,"
            " endpoints of webhooks do not (docs/backups.md, What to keep)",
        )
    except ConfigError as error:
        yield REACHABLE.bad(str(error), "docs/history.md, SQLite or PostgreSQL")


def look_file(settings: Settings) -> Iterator[Finding]:
    engine, path = open_to_look(settings), _file(settings)
    try:
        with reading(engine) as connection:
            found = {
                name: {str(column["name"]) for column in inspect(connection).get_columns(name)}
                for name in inspect(connection).get_table_names()
            }
            version = connection.scalar(select(store_version.c.version)) if store_version.name in found else None
    except DBAPIError as error:
        yield TABLES.bad(f"they cannot be read ({_said(error)})", "docs/history.md, SQLite or PostgreSQL")
        return
    finally:
        engine.dispose()
    yield judge_tables(found, version)
    if path is None:
        yield DISK.ok("it is a server: its own monitoring tells")
        yield PLACE.ok("it is a server")
        return
    usage = shutil.disk_usage(path.parent)
    yield judge_disk(usage.free, usage.total, path.stat().st_size)
    yield judge_place(path, file_system_of(path.resolve()), wal=writes_ahead(path))


def look_shared(settings: Settings) -> Iterator[Finding]:
    try:
        sqlite = _file(settings) is not None
    except ConfigError:
        yield SHARED.unknown(cannot_be_asked(STORE, REACHABLE.id))
        return
    admin = Inspection(settings, CLIENT)
    hosts = {host for group in (HISTORY, WEBHOOKS) for host in admin.hosts(settings.group(group))}
    yield judge_shared(hosts, sqlite=sqlite)


def look_registry(settings: Settings) -> Iterator[Finding]:
    url = settings.registry.url
    if not url:
        yield REGISTRY.ok("the built-in one of the console")
        return
    registry = None
    try:
        registry = ExternalRegistry(settings)
        registry.schema(1)
        yield REGISTRY.ok(public_url(url))
    except (DependencyDown, ConfigError) as error:
        yield REGISTRY.bad(str(error), "framed Avro waits for it; docs/registry.md")
    finally:
        if registry is not None:
            registry.close()


def judge_tables(found: Mapping[str, Collection[str]], version: int | None) -> Finding:
    """``found``: columns by table. ``version``: None where the store does not tell."""
    if version is not None and version > VERSION:
        return TABLES.bad(f"version {version}", "run the offerflow that made them, or a newer one")
    missing = [name for name in METADATA.tables if name not in found]
    lacking = [
        f"{name}.{column.name}"
        for name, table in METADATA.tables.items()
        if name in found
        for column in table.columns
        if column.name not in found[name]
    ]
    if lacking:
        return TABLES.bad(f"there is no {some(lacking)}", "another version made the tables: see the changelog")
    if missing or version != VERSION:
        told = f"missing: {some(missing)}" if missing else f"version {version}"
        return TABLES.warn(told, "programs make what is missing when they start: restart history")
    return TABLES.ok(f"{len(METADATA.tables)} tables, version {version}")


def judge_disk(free: int, total: int, used: int) -> Finding:
    """``used``: by the store's own file."""
    found = f"{size(free)} free, {free / max(1, total):.0%}; the store has {size(used)}"
    do = "free the disk, or keep less history (OFFERFLOW_HISTORY__DAYS)"
    if free < 200 * MIB or free < total / 100:
        return DISK.bad(found, do)
    return DISK.warn(found, do) if free < 1024 * MIB or free < total / 10 else DISK.ok(found)


def judge_place(path: Path, system: str, *, wal: bool) -> Finding:
    """``system``: the kind of file system that the file lies on. ``wal``: whether it is in WAL mode."""
    if system.removeprefix("fuse.").startswith(REMOTE):
        return PLACE.bad(
            f"{path} lies on {system}", "move it to a disk of this machine, or use PostgreSQL (docs/history.md)"
        )
    if not wal:
        return PLACE.warn("not in WAL mode: readers and writers wait for each other", "restart the program history")
    return PLACE.ok(f"WAL{f' on {system}' if system else ''}")


def judge_shared(hosts: Collection[str], *, sqlite: bool) -> Finding:
    """``hosts``: from which the programs that use the store speak to Kafka."""
    if sqlite and len(hosts) > 1:
        return SHARED.bad(
            f"SQLite, and programs on {len(hosts)} machines ({some(sorted(hosts))}): each has a store of its own",
            "use PostgreSQL: OFFERFLOW_STORE__URL=postgresql+psycopg://… (docs/history.md)",
        )
    return SHARED.ok("SQLite" if sqlite else "a server")


def file_system_of(path: Path) -> str:
    """The kind of the file system that ``path`` lies on, empty if it cannot be told."""
    best = ("", "")
    for one in psutil.disk_partitions(all=True):
        if path.is_relative_to(one.mountpoint) and len(one.mountpoint) >= len(best[0]):
            best = (one.mountpoint, one.fstype)
    return best[1]


def _file(settings: Settings) -> Path | None:
    return file_of(address_of(settings))


def _said(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
