"""Makes the golden journal of the code as it is, from made-up rulesets and journals on which the oracle agrees.

Each pair of tests.oracle.pairs becomes a partition of its own, over one catalog made by what ``apply`` runs. Pairs are
chosen so that everything that happens in a long run of them happens here too.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastavro
from ruamel.yaml import YAML

from console.workspace.change import plan_change
from console.workspace.definitions import read_workspace
from console.workspace.problems import WorkspaceProblems
from offerflow.catalog.view import Catalog
from offerflow.rules.ruleset import ENGINE
from offerflow.rules.state import LAYOUT
from schemas.catalog import plan_of
from schemas.codec import EventEncoder, plain_times
from schemas.journal import RULESET_ACTIVATED, TICK
from schemas.plan import EventSchema, Plan
from schemas.requests import PREFIX, REQUESTS_BY_NAME
from tests.golden.release import Entry, Row, folded, text, write
from tests.oracle.pairs.agree import Both, Disagreement, Refused
from tests.oracle.pairs.pair import Pair, of_seed
from tests.oracle.pairs.plan import SCHEMAS
from tests.oracle.pairs.reached import LEAST
from tests.oracle.pairs.rulesets import Ruleset

SEED, CANDIDATES, EACH = 5, 1200, 2
"""Everything is to happen EACH times, in as few of the candidates as may be."""


def record(folder: Path) -> Counter[str]:
    """Write the files of a release into ``folder``. Returns what the journal reaches."""
    known: dict[str, Any] = {}
    entries: list[Entry] = []
    reached: Counter[str] = Counter()
    for pair, counted in _chosen():
        try:
            names = [_applied(ruleset, known) for ruleset in pair.rulesets]
        except WorkspaceProblems:
            continue  # the compiler takes it, but nobody could apply it
        number = len({one.number for one in entries})
        plan = plan_of(Catalog(known))
        entries += _entries(pair, number, names, plan)
        reached += counted
    entries += _odd(entries)
    catalog = Catalog(known)
    outputs, states = folded(catalog, entries)
    _agree(outputs, reached)
    folder.mkdir(exist_ok=True)
    about = {"engine": ENGINE, "layout": LAYOUT, "records": len(entries), "outputs": len(outputs),
             "reached": {name: reached[name] for name in LEAST}}  # fmt: skip
    (folder / "release.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    write(folder, "catalog", ({"key": key, "value": value} for key, value in sorted(known.items())))
    write(folder, "journal", (
        {"partition": one.number, "offset": one.at, "appended": one.appended, "key": text(one.name),
         "value": text(one.body)}
        for one in entries
    ))  # fmt: skip
    write(folder, "outputs", outputs)
    write(folder, "states", states)
    return reached


def _chosen() -> Iterator[tuple[Pair, Counter[str]]]:
    """Greedily, those that bring most of what is still missing."""
    found: dict[int, Counter[str]] = {}
    for number in range(CANDIDATES):
        both = None
        try:
            both = Both(of_seed(SEED, number))
            both.run()
        except (Refused, Disagreement):
            continue
        found[number] = both.reached
    missing = Counter(dict.fromkeys(LEAST, EACH))
    while found:
        best = max(found, key=lambda number: sum(min(missing[key], n) for key, n in found[number].items()))
        gain = {key: min(missing[key], n) for key, n in found[best].items() if missing[key]}
        if not gain:
            return
        missing -= Counter(gain)
        yield of_seed(SEED, best), found.pop(best)


def _applied(ruleset: Ruleset, known: dict[str, Any]) -> str:
    """Put what `apply` would write into an empty catalog into ``known``; the name of the ruleset."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, schema in enumerate(SCHEMAS):
            (folder / f"{number}.avsc").write_text(json.dumps(schema), "utf-8")
        out = io.StringIO()
        YAML().dump_all(ruleset, out)
        (folder / "rules.yaml").write_text(out.getvalue(), "utf-8")
        problems: list[Any] = []
        defined = read_workspace([folder], problems)
        if problems:
            raise WorkspaceProblems(problems)
        change = plan_change(Catalog(), defined)
    kept = ("event/", "condition/", "offer/", "settings/", "ruleset/", "head")
    known |= {key: value for key, value in change.records.items() if value is not None and key.startswith(kept)}
    return change.ruleset


def _entries(pair: Pair, number: int, names: list[str], plan: Plan) -> Iterator[Entry]:
    both = Both(pair)
    for entry in pair.journal:
        at, when = entry.offset, entry.received_at or entry.time
        if entry.what == "activate":
            yield Entry(number, at, when, None, RULESET_ACTIVATED.encode({"ruleset": names[entry.ruleset]}))
        elif entry.what == "tick":
            yield Entry(number, at, when, None, TICK.encode({"due": entry.time}))
        else:
            properties = dict(entry.properties)
            if entry.reward is not None:
                properties["reward_id"] = both._reward(entry)
            schema = REQUESTS_BY_NAME[PREFIX + entry.name] if entry.what == "request" else plan.by_name[entry.name]
            side, _, who = entry.entity.partition(":")
            body = EventEncoder(schema.id).encode(
                entry.id, who if side == "u" else None, who if side == "a" else None, entry.time, entry.received_at,
                "shop", "backend", _packed(schema, properties), "ignore" if entry.exempt else "normal",
            )  # fmt: skip
            yield Entry(number, at, when, entry.entity.encode(), body)
        both.step(entry)


def _packed(schema: EventSchema, properties: dict[str, Any]) -> bytes:
    """The fields behind meta."""
    fields = [field for field in schema.definition["fields"] if field["name"] != "meta"]
    out = io.BytesIO()
    parsed = fastavro.parse_schema(plain_times({"type": "record", "name": "Properties", "fields": fields}))
    fastavro.schemaless_writer(out, parsed, properties)
    return out.getvalue()


def _odd(entries: list[Entry]) -> Iterator[Entry]:
    """Records that nothing of ours writes, in a partition of their own: dead letters come of them, or nothing."""
    number, activation, good = entries[-1].number + 1, entries[0], next(one for one in entries if one.name and one.body)
    value, when = good.body or b"", good.appended
    for at, (key, body) in enumerate([
        (None, activation.body), (good.name, value), (None, value), (b"\xff", value), (good.name, value[:7]),
        (good.name, None), (good.name, b"\x00\x00\x00\x00\x13of no kind"), (None, TICK.encode({"due": when})[:5]),
        (good.name, b"text"),
    ]):  # fmt: skip
        yield Entry(number, at, when, key, body)


def _agree(outputs: list[Row], reached: Counter[str]) -> None:
    """The records were encoded here, so that what comes of them must be what the oracle said of the pairs."""
    told = Counter(row["type"] for row in outputs)
    for kind in ("OfferEntered", "OfferExited", "RewardSatisfied", "RewardFulfilled", "RewardReversed"):
        expected = reached[kind] + reached[f"{kind} by a timer"]
        if told[kind] != expected:
            raise AssertionError(f"the journal led to {told[kind]} of {kind}, its pairs to {expected}")
