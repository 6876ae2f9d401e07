"""Files to documents: what can be read, and where it stands."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from console.workspace.definitions import read_workspace
from console.workspace.problems import Problem
from tests.console.workspace.conftest import Files, Read

CONDITION = "kind: condition\nid: c\nevent: A\n"
EVENT = {"type": "record", "name": "A", "fields": [{"name": "meta", "type": "events.Meta"}]}


def test_kinds_are_told_by_content(read: Callable[[Files], Read]) -> None:
    """Files anywhere below, of any name; several documents in one; other files and hidden folders are left alone."""
    found = read({
        "a/b/x.yaml": CONDITION + "---\n" + CONDITION.replace("id: c", "id: d") + "---\n",
        "y.yml": "- {id: s, origin: sdk}\n- {id: t, origin: backend}\n",
        "A.avsc": json.dumps(EVENT),
        "notes.md": "kind: nonsense",
        ".git/x.yaml": "kind: nonsense",
        "a/.hidden.yaml": "kind: nonsense",
        "empty.yaml": "# nothing yet\n",
    })  # fmt: skip
    assert found.said == []
    assert sorted(found.defined) == ["condition/c", "condition/d", "event/A@1", "source/s", "source/t"]


def test_a_single_file_and_several_folders(tmp_path: Path) -> None:
    """Roots may be files; definitions of all roots are one workspace."""
    for name, text in (("one", CONDITION), ("two", CONDITION.replace("id: c", "id: d"))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(text)
    problems: list[Problem] = []
    found = read_workspace([tmp_path / "one" / "x.yaml", tmp_path / "two"], problems)
    assert (sorted(found), problems) == (["condition/c", "condition/d"], [])


@pytest.mark.parametrize(
    "files",
    [{}, {"notes.md": "x"}, {".x/a.yaml": CONDITION}, {"sources.yaml": ""}, {"sources.yaml": "[]\n"},
     {"a.yaml": "# all gone\n", "b.yml": "---\n---\n", "c.yaml": "null\n"}],
)  # fmt: skip
def test_a_folder_without_definitions(read: Callable[[Files], Read], tmp_path: Path, files: Files) -> None:
    """A wrong folder is told, since applying it with --prune would remove everything."""
    (problem,) = read(files).problems
    assert problem.file == str(tmp_path)
    assert "holds no definitions" in problem.message


def test_one_folder_of_several_without_definitions(tmp_path: Path) -> None:
    """Each folder is looked at for itself; for who only writes there an empty one is fine."""
    for name, text in (("one", CONDITION), ("two", "")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.yaml").write_text(text)
    problems: list[Problem] = []
    read_workspace([tmp_path / "one", tmp_path / "two"], problems)
    assert [problem.file for problem in problems] == [str(tmp_path / "two")]
    problems.clear()
    assert read_workspace([tmp_path / "two"], problems, may_be_empty=True) == {}
    assert problems == []


def test_a_link_to_nothing(read: Callable[[Files], Read], tmp_path: Path) -> None:
    """What it led to would be missed."""
    (tmp_path / "y.yaml").symlink_to(tmp_path / "gone.yaml")
    assert read({"x.yaml": CONDITION}).said == ["y.yaml:1: cannot be read: No such file or directory"]


def test_a_folder_that_cannot_be_looked_into(
    read: Callable[[Files], Read], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What it holds would be missed, and with --prune removed; hidden ones are nobody's business."""
    look = os.scandir

    def refused(path: str) -> Any:
        if str(path).endswith(("closed", ".git")):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    monkeypatch.setattr(os, "scandir", refused)
    found = read({"x.yaml": CONDITION, "closed/y.yaml": CONDITION.replace("id: c", "id: d"), ".git/config": ""})
    assert found.said == ["closed:1: cannot be read: Permission denied"]


BOMB = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" if n else "l0: &l0 [x]\n" for n in range(12))


@pytest.mark.parametrize(
    ("name", "content", "place", "words"),
    [
        ("x.yaml", "kind: offer\nid: [x\nentry: {}\n", "x.yaml:3", "cannot be read"),
        ("x.yaml", "kind: offer\n\tid: x\n", "x.yaml:2", "cannot be read"),
        ("x.yaml", "kind: condition\nid: c\nid: d\n", "x.yaml:3", 'duplicate key "id"'),
        ("x.yaml", "kind: condition\nid: *nobody\n", "x.yaml:2", "undefined alias"),
        ("x.yaml", CONDITION + "---\n- {id: s\n", "x.yaml:6", "cannot be read"),
        ("x.yaml", b"kind: condition\nid: \xff\n", "x.yaml:1", "is not UTF-8 (byte 20)"),
        ("x.yaml", "id: \x07\n", "x.yaml:1", "unacceptable character"),
        ("x.yaml", BOMB, "x.yaml:1", "aliases of aliases"),
        ("x.yaml", "&x [*x]\n", "x.yaml:1", "alias of itself"),
        ("x.yaml", "[" * 700, "x.yaml:1", "nested too deeply"),
        ("x.yaml", "# " + "x" * 1024 * 1024, "x.yaml:1", "expected at most 1048576"),
        ("x.yaml", "id: " + "9" * 5000, "x.yaml:1", "cannot be read"),
        ("x.yaml", 'kind: condition\nid: c\nevent: "\\ud83d"\n', "x.yaml:1", "half a character"),
        ("A.avsc", '{"type": "record",\n "name": }', "A.avsc:2", "is not JSON: Expecting value (column 10)"),
        ("A.avsc", "{'type': 'record'}", "A.avsc:1", "is not JSON"),
        ("A.avsc", '{"type": "record",\n}', "A.avsc:2", "is not JSON"),
        ("A.avsc", '{"type": "record", "minimum": NaN}', "A.avsc:1", "is not JSON: NaN"),
        ("A.avsc", "", "A.avsc:1", "is not JSON"),
        ("A.avsc", '{"a":' * 100_000, "A.avsc:1", "nested too deeply"),
        ("A.avsc", '{"type": "record", "name": "A",\n "name": "B"}', "A.avsc:2", 'duplicate key "name"'),
        ("A.avsc", "{", "A.avsc:1", "is not JSON"),
        ("A.avsc", "[]", "A.avsc:1", "expected an Avro record schema"),
        ("A.avsc", "null", "A.avsc:1", "expected an Avro record schema"),
        ("A.avsc", '[{"id": "s", "origin": "sdk"}]', "A.avsc:1", "expected an Avro record schema"),
        ("A.avsc", '{"kind": "condition", "id": "c", "event": "A"}', "A.avsc:1", "expected an Avro record schema"),
    ],
)
def test_what_cannot_be_read(
    read: Callable[[Files], Read], name: str, content: str | bytes, place: str, words: str
) -> None:
    """Broken YAML or JSON, bombs and bytes that are no text: one problem with file and line, and no traceback."""
    found = read({name: content})
    assert found.places == [place]
    assert words in found.said[0]
    assert found.defined == {}


def test_one_broken_file_does_not_hide_another(read: Callable[[Files], Read]) -> None:
    """All files are read before anything is told."""
    found = read({"a.yaml": "[", "b.yaml": CONDITION, "c.yaml": "kind: [", "d.yaml": "kind: nothing\n"})
    assert found.places == ["a.yaml:1", "c.yaml:1", "d.yaml:1"]
    assert list(found.defined) == ["condition/c"]


@pytest.mark.parametrize("indent", [None, 2, "\t"])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_json_as_others_write_it(
    read: Callable[[Files], Read], indent: int | str | None, ascii_only: bool, mark: bytes
) -> None:
    """Schema files of any JSON writer: tabs, escapes of characters beyond 16 bits, exponents, a byte order mark."""
    written = {**EVENT, "doc": "😀 \"é\" \\ / \n\t\u2028", "fields": [
        *EVENT["fields"], {"name": "x", "type": "double", "minimum": 1e-7, "maximum": 1e300},
        {"name": "n", "type": "long", "default": -0, "maximum": 2**60},
    ]}  # fmt: skip
    found = read({"A.avsc": mark + json.dumps(written, indent=indent, ensure_ascii=ascii_only).encode()})
    assert found.said == []
    assert found.defined["event/A@1"].content == written
    assert json.dumps(found.defined["event/A@1"].content) == json.dumps(written)


def test_yaml_values_are_plain(read: Callable[[Files], Read]) -> None:
    """YAML 1.2: yes and no are texts; anchors carry booleans as booleans; numbers and dates are what they look like."""
    text = "- {id: 2026-01-01, origin: sdk, system_events: {yes: &on true, no: *on, off: false}}\n"
    found = read({"sources.yaml": text})
    assert found.said == []
    content = found.defined["source/2026-01-01"].content
    assert content["system_events"] == {"yes": True, "no": True, "off": False}
    assert all(type(value) is bool for value in content["system_events"].values())


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=80) | st.lists(st.sampled_from(
    ["kind", "condition", "offer", ": ", "\n", "  ", "- ", "[", "]", "{", "}", "&a ", "*a", "!!str ", "id", "event",
     "A", '"',
     "'", "|", ">", "#", "---\n", "...", "%YAML 1.1\n", "all", "where", "?", ",", "5", "true", "null", "<<", "\t",
     "\\u12", "🙂"]
), max_size=25).map(lambda parts: "".join(parts).encode()), suffix=st.sampled_from(["yaml", "avsc"]))  # fmt: skip
@example(content=b"&a x: &a y", suffix="yaml")  # an anchor used again
def test_any_file(tmp_path: Path, content: bytes, suffix: str) -> None:
    """Whatever stands in a file is definitions or problems with a line of it, and never an exception."""
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(content)
    problems: list[Problem] = []
    read_workspace([path], problems)
    assert all(1 <= one.line <= content.count(b"\n") + content.count(b"\r") + 1 for one in problems), problems
    assert all(one.message and one.file == str(path) for one in problems)
