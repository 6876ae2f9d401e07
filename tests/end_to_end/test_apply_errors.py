"""A wrong definition is refused whole, at its file and line, with what was expected; nothing is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment import Deployment, Services
from tests.end_to_end.coffee import WORKSPACE

pytestmark = pytest.mark.broker

OFFER = "kind: offer\nid: x\nentry:\n  event: bean.rated\n"
CASES = {
    "an unknown key": (OFFER + "audiense: {event: bean.rated}\n", 5, ["audiense", "audience"]),
    "an unknown event": (OFFER.replace("bean.rated", "bean.ratd"), 4, ["bean.ratd", "bean.rated"]),
    "an unknown property": (OFFER + "  where: starz > 3\n", 5, ["starz", "stars"]),
    "types that never compare": (OFFER + '  where: stars > "3"\n', 5, ["entry.where", "a number with a string"]),
    "no expression": (OFFER + "  where: stars >\n", 5, ["entry.where", "expected"]),
    "a pii property": (OFFER.replace("bean.rated", "order placed") + "  where: is_set(phone)\n", 5, ["phone", "pii"]),
    "an enum symbol that is none": (
        OFFER.replace("bean.rated", "order placed") + '  where: currency == "USD"\n', 5, ["USD", "EUR"],
    ),
    "a cap that all users share": (
        OFFER + "caps:\n  total: 10\n", 6, ["caps.total", "limits over all users are not there yet", "caps.per_user"],
    ),
    "bounds that exclude each other": (
        OFFER + "  count: {at_least: 5, at_most: 3}\n", 5, ["at_least 5 and at_most 3 exclude each other"],
    ),
    "a window since the entry, at the entry": (OFFER + "  since: entry\n", 5, ["only a completion and an exit"]),
    "a key that the entering event lacks": (
        OFFER + "reentry: {per_key: starz}\n", 5, ["reentry.per_key", "did you mean 'stars'?"],
    ),
    "a reference to nothing": ("kind: offer\nid: x\nentry:\n  condition: regulr\n", 4, ["regulr", "regular"]),
    "an entry that is true of nobody's doing": (
        "kind: offer\nid: x\nentry:\n  none: [{event: bean.rated}]\n", 3, ["entry"],
    ),
    "a number where a text belongs": ("kind: offer\nid: 5\nentry: {event: bean.rated}\n", 2, ["id"]),
    "a value without a currency": (
        OFFER + "completion: {event: bean.rated}\nreward: {id: r, value: 10}\n", 6, ["value", "10 EUR"],
    ),
    "a weight of nothing": (
        OFFER + "completion: {event: bean.rated}\nvariants:\n  - {id: a, weight: 0}\n", 7, ["weight"],
    ),
    "conditions in a circle": (
        "kind: condition\nid: a\ncondition: b\n---\nkind: condition\nid: b\ncondition: a\n", None, ["a", "b"],
    ),
    "an id twice": (OFFER + "---\n" + OFFER, 6, ["offer/x", "twice"]),
    "no YAML": ("kind: offer\nid: [x\nentry: {}\n", None, ["expected"]),
    "a tab": ("kind: offer\n\tid: x\n", 2, []),
    "an unknown kind": ("kind: ofer\nid: x\n", 1, ["ofer", "offer"]),
    "a referral": ("kind: referral\nid: x\n", 1, ["referrals are not there yet"]),
    "an unknown origin": ("- {id: till2,\n   origin: server}\n", 2, ["server", "backend"]),
}  # fmt: skip
SCHEMAS = {
    "no JSON": ('{"type": "record",\n "name": }', 2, []),
    "an unknown attribute": (
        ('{"type": "record", "namespace": "events", "name": "X",\n "origin": ["sdk"],\n'
        ' "fields": [{"name": "meta", "type": "events.Meta"}]}'), 2, ["origin", "origins"],
    ),
    "no meta": ('{"type": "record", "namespace": "events", "name": "X", "fields": []}', None, ["meta", "events.Meta"]),
    "an unknown type": (
        ('{"type": "record", "namespace": "events", "name": "X", "fields": [\n'
        ' {"name": "meta", "type": "events.Meta"},\n {"name": "n", "type": "integer"}]}'), 3, ["integer"],
    ),
    "a name of another type": (
        ('{"type": "record", "namespace": "events", "name": "X",\n "event": ["bean.rated"],\n'
        ' "fields": [{"name": "meta", "type": "events.Meta"}]}'), None, ["bean.rated", "BeanRated"],
    ),
    "a default that does not fit": (
        ('{"type": "record", "namespace": "events", "name": "X", "fields": [\n'
        ' {"name": "meta", "type": "events.Meta"},\n {"name": "n", "type": "int", "default": "one"}]}'), 3, ["n"],
    ),
    "pii that is not nullable": (
        ('{"type": "record", "namespace": "events", "name": "X", "fields": [\n'
        ' {"name": "meta", "type": "events.Meta"},\n {"name": "n", "type": "string", "pii": true}]}'), 3, ["pii"],
    ),
}  # fmt: skip
ALL = [
    *((name, "wrong.yaml", *case) for name, case in CASES.items()),
    *((name, "wrong.avsc", *case) for name, case in SCHEMAS.items()),
]


@pytest.fixture(scope="module")
def applied(stack: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment with topics and the coffee workspace."""
    made = Deployment(stack, tmp_path_factory.mktemp("apply"))
    made.create_topics()
    made.apply(WORKSPACE)
    yield made
    made.close()


@pytest.mark.parametrize(("file", "content", "line", "words"), [one[1:] for one in ALL], ids=[one[0] for one in ALL])
def test_refused(
    applied: Deployment, tmp_path: Path, file: str, content: str, line: int | None, words: list[str]
) -> None:
    """Exit 1, the file and line, what was expected in one readable message, and neither catalog nor journal grows."""
    workspace = shutil.copytree(WORKSPACE, tmp_path / "mine")
    (workspace / file).write_text(content, encoding="utf-8")
    before = applied.ends("catalog"), applied.ends("journal")
    done = applied.command("apply", workspace, "--yes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert f"{file}:{line or ''}" in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert (applied.ends("catalog"), applied.ends("journal")) == before


def test_every_mistake_is_told_at_once(applied: Deployment, tmp_path: Path) -> None:
    """Three wrong files give three places, so that nobody applies three times."""
    workspace = shutil.copytree(WORKSPACE, tmp_path / "mine")
    for n in range(3):
        (workspace / f"wrong{n}.yaml").write_text(OFFER.replace("id: x", f"id: x{n}").replace("bean.rated", "nothing"))
    done = applied.command("apply", workspace, "--yes")
    assert done.returncode == 1
    assert all(f"wrong{n}.yaml:4" in done.stderr for n in range(3)), done.stderr


def test_a_directory_that_is_not_there(applied: Deployment) -> None:
    """A wrong argument is a usage error that names it."""
    done = applied.command("apply", "no-such-directory", "--yes")
    assert done.returncode == 2
    assert "no-such-directory" in done.stderr


def test_applying_the_same_again_changes_nothing(applied: Deployment) -> None:
    """No record is written when nothing differs."""
    before = applied.ends("catalog"), applied.ends("journal")
    done = applied.command("apply", WORKSPACE, "--yes")
    assert done.returncode == 0, done.stderr
    assert (applied.ends("catalog"), applied.ends("journal")) == before


@pytest.mark.parametrize("command", [("apply", WORKSPACE, "--yes"), ("topics", "create")])
def test_no_broker(tmp_path: Path, command: tuple[str | Path, ...]) -> None:
    """A broker that does not answer gives one line with its address, and exit 69."""
    made = Deployment(Services("127.0.0.1:1", "redis://127.0.0.1:1/0"), tmp_path)
    done = made.command(*command)
    assert done.returncode == 69, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(lines) == 1, done.stderr
    assert "127.0.0.1:1" in lines[0]
