"""Files to documents whose every value knows its line: YAML 1.2 by ruamel.yaml, of which JSON is a part."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.resolver import VersionedResolver
from ruamel.yaml.scalarbool import ScalarBoolean

from console.workspace.problems import Path, Problem

SUFFIXES = (".avsc", ".yaml", ".yml")
MAX_BYTES = 1024 * 1024
MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document or JSON file. ``content`` is plain data; ``line`` finds where a path stands in the file."""

    file: str
    content: Any
    tree: Any

    def line(self, path: Path) -> int:
        """The line of the deepest part of ``path`` that is there, from 1."""
        node, line = self.tree, getattr(getattr(self.tree, "lc", None), "line", 0) or 0
        for step in path:
            try:
                line = node.lc.key(step)[0] if isinstance(node, CommentedMap) else node.lc.item(step)[0]
                node = node[step]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
        return line + 1


def read_documents(roots: list[FilePath], problems: list[Problem], *, may_be_empty: bool = False) -> list[Document]:
    """Every definition file below ``roots``, hidden folders left out. What cannot be read becomes a problem, and so
    does a root that defines nothing: applied with ``--prune`` it would remove everything."""
    documents: list[Document] = []
    for root in roots:
        before = len(problems)
        read = [document for path in definition_files(root, problems) for document in _read(path, problems)]
        if not may_be_empty and len(problems) == before and all(_defines_nothing(one) for one in read):
            problems.append(Problem(str(root), 1, (), f"holds no definitions; expected some in {', '.join(SUFFIXES)}"))
        documents += read
    return documents


def is_scenario(document: Document) -> bool:
    """What `offerflow test` plays: it stands beside the definitions and is none."""
    content = document.content
    return isinstance(content, dict) and content.get("kind") == "scenario" and not document.file.endswith(".avsc")


def _defines_nothing(document: Document) -> bool:
    """An empty list of sources, or a scenario."""
    return (document.content == [] and not document.file.endswith(".avsc")) or is_scenario(document)


def definition_files(root: FilePath, problems: list[Problem]) -> list[FilePath]:
    """Files that may hold definitions, hidden ones and hidden folders left out. A folder that cannot be looked into
    becomes a problem: what it holds would be missed."""
    if not root.is_dir():
        return [root] if root.is_file() and root.suffix in SUFFIXES else []

    def unreadable(error: OSError) -> None:
        problems.append(Problem(str(error.filename), 1, (), f"cannot be read: {error.strerror}"))

    found = []
    for folder, below, names in os.walk(root, onerror=unreadable):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [FilePath(folder, name) for name in names if not name.startswith(".")]
    # A link to nothing is a file that cannot be read.
    return sorted(path for path in found if path.suffix in SUFFIXES and (path.is_file() or not path.exists()))


def _read(path: FilePath, problems: list[Problem]) -> list[Document]:
    name = str(path)
    try:
        data = path.read_bytes()
        if len(data) > MAX_BYTES:
            problems.append(Problem(name, 1, (), f"has {len(data)} bytes, expected at most {MAX_BYTES}"))
            return []
        text = data.decode()
        if path.suffix == ".avsc":
            json.loads(text.removeprefix("\ufeff"), parse_constant=_no_json)
            # JSON may be indented with tabs, YAML may not.
            text = text.replace("\t", "  ")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)  # YAML allows to use an anchor's name again
            empty_too = path.suffix == ".avsc"  # null is JSON, and no schema
            trees = [tree for tree in _yaml().load_all(text) if tree is not None or empty_too]
        return [Document(name, _Plain().of(tree), tree) for tree in trees]
    except json.JSONDecodeError as error:
        problems.append(Problem(name, error.lineno, (), f"is not JSON: {error.msg} (column {error.colno})"))
    except OSError as error:
        problems.append(Problem(name, 1, (), f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        problems.append(Problem(name, 1, (), f"is not UTF-8 (byte {error.start})"))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        what = f"{error.problem or error.context}"
        if "'\\t'" in what:
            what = "a tab, where YAML is indented by spaces"
        hint = "; inside {…} an expression with brackets, commas or colons needs quotes" if "flow" in str(error) else ""
        problems.append(Problem(name, line, (), f"cannot be read: {what}{hint}"))
    except RecursionError:
        problems.append(Problem(name, 1, (), "cannot be read: nested too deeply, or an alias of itself"))
    except (YAMLError, ValueError) as error:
        problems.append(Problem(name, 1, (), f"cannot be read: {str(error).splitlines()[0]}"))
    return []


class _NoDates(VersionedResolver):
    """A date stays the text it is written as: whoever reads it says better what is wrong with it."""

    def add_version_implicit_resolver(self, version: Any, tag: Any, regexp: Any, first: Any) -> None:
        if not str(tag).endswith(":timestamp"):
            super().add_version_implicit_resolver(version, tag, regexp, first)


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.Resolver = _NoDates
    return yaml


def _no_json(constant: str) -> None:
    raise ValueError(f"is not JSON: {constant}")


class _Plain:
    """ruamel's values as plain Python data. Counts them, since aliases can unfold without end."""

    def __init__(self) -> None:
        self._count = 0

    def of(self, value: Any) -> Any:
        self._count += 1
        if self._count > MAX_VALUES:
            raise ValueError(f"has more than {MAX_VALUES} values; are there aliases of aliases?")
        if isinstance(value, CommentedMap | dict):
            return {_whole(str(key)): self.of(item) for key, item in value.items()}
        if isinstance(value, CommentedSeq | list):
            return [self.of(item) for item in value]
        if isinstance(value, bool | ScalarBoolean):
            return bool(value)
        for kind in (int, float):
            if isinstance(value, kind):
                return kind(value)
        return value if value is None else _whole(str(value))


def _whole(text: str) -> str:
    """JSON writes a character beyond 16 bits as two escapes, which YAML reads one by one."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise ValueError(f"{text!r} holds half a character; expected both escapes of its pair") from None
