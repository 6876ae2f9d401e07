"""The one collection of tables, and the version of their layout. Each module of the package adds its own tables."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

METADATA = MetaData()
VERSION = 1
"""Grows when a table changes in a way that older programs cannot live with."""

Id = BigInteger().with_variant(Integer, "sqlite")
"""A primary key that counts by itself: SQLite does that for INTEGER alone."""

store_version = Table("store_version", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))
