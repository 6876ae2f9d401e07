"""What docs/formats.md promises, held against the code and the schemas: a contract that drifted is a broken one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from offerflow.rules.compiling import compile_ruleset
from offerflow.rules.definitions import (
    NOT_YET,
    ConditionDefinition,
    OfferDefinition,
    SettingsDefinition,
    SourceDefinition,
)
from offerflow.rules.ids import instance_id, output_id
from schemas.envelope import decode
from schemas.plan import Plan, parse_event_schema
from schemas.raw import read

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
OUTPUTS = [path.stem for path in sorted((ROOT / "schemas" / "outputs").glob("*.avsc"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    """The text of a section, up to the next heading of any level."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#)", PAGE, re.DOTALL | re.MULTILINE)
    assert found, title
    return found[1]


def first_column(table: str) -> list[str]:
    """The names in backticks in the first column of a table, in order."""
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def marked(field: dict[str, Any]) -> str:
    """A field's name as the tables write it."""
    return field["name"] + "?" * isinstance(field["type"], list)


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "schemas" / "outputs" / f"{name}.avsc").read_text(encoding="utf-8"))
    return loaded


def documents() -> list[Any]:
    return [document for block in blocks("yaml") for document in YAML(typ="safe", pure=True).load_all(block)]


def demo() -> list[Any]:
    paths = sorted((ROOT / "deploy" / "demo").glob("[co]*s/*.yaml"))  # conditions and offers
    return [d for path in paths for d in YAML(typ="safe", pure=True).load_all(path.read_text(encoding="utf-8"))]


def test_recipe_for_ids_agrees_with_the_rules() -> None:
    """The recipe an outsider would copy passes its own checks and gives the ids that the rules give."""
    (recipe,) = blocks("python")
    names: dict[str, Any] = {}
    exec(recipe, names)  # noqa: S102 - the page is ours
    instance = instance_id("subscription-upsell", "u:u-42", "e-1")
    assert names["instance"] == instance
    assert names["h"]("OfferEntered", instance, "", "", "0") == output_id("OfferEntered", instance)


def test_envelope_and_event_schema_in_the_page_are_accepted() -> None:
    """The JSON examples are a native envelope, the same as a CloudEvent, an event schema that can be applied, and a
    request."""
    envelope, cloud_event, event, request = blocks("json")
    assert decode(request.encode()).event == "offerflow.EnterOffer"
    native, cloud = decode(envelope.encode()), read(cloud_event.encode(), None)
    assert native.event == "Purchase Completed"
    for name in ("event", "user_id", "event_id", "time", "source", "properties"):
        assert getattr(cloud, name) == getattr(native, name)
    assert parse_event_schema(json.loads(event), 1000).names == ("Purchase Completed", "Order Completed")


def test_definitions_in_the_page_are_accepted() -> None:
    """The YAML examples are sources, a condition, an offer and settings that compile beside the demo workspace."""
    conditions: dict[str, ConditionDefinition] = {}
    settings: SettingsDefinition | None = None
    offers: dict[str, OfferDefinition] = {}
    for document in [*demo(), *documents()]:
        if isinstance(document, list):
            assert [SourceDefinition.model_validate(source).id for source in document]
        elif document["kind"] == "condition":
            conditions[document["id"]] = ConditionDefinition.model_validate(document)
        elif document["kind"] == "settings":
            settings = SettingsDefinition.model_validate(document)
        elif document["kind"] == "offer":
            offers[document["id"]] = OfferDefinition.model_validate(document)
    folders = ROOT / "schemas" / "events", ROOT / "deploy" / "demo" / "events"
    files = sorted(file for folder in folders for file in folder.glob("*.avsc"))
    plan = Plan(
        parse_event_schema(json.loads(path.read_text(encoding="utf-8")), 1000 + n) for n, path in enumerate(files)
    )
    assert settings is not None
    assert "upgrade" in compile_ruleset("page", conditions, offers, plan.event_types(), settings).offers


@pytest.mark.parametrize("name", ["OfferEntered", "OfferExited", "RewardSatisfied"])
def test_field_tables_follow_the_schemas(name: str) -> None:
    """A table of fields names the fields of its schema in order, with a question mark where null is allowed."""
    table = PAGE.partition(f"**{name}** (")[2].partition("\n**")[0]
    assert first_column(table) == [marked(field) for field in schema(name)["fields"]]


@pytest.mark.parametrize("name", OUTPUTS)
def test_reserved_ids_follow_the_schemas(name: str) -> None:
    """The schema id that the page states for an output is the one in its schema."""
    stated = re.search(rf"\*?\*?{name}\*?\*? \((\d+), topic", PAGE)
    assert stated
    assert int(stated[1]) == schema(name)["id"]


def test_dead_letter_tables_follow_the_schema() -> None:
    """Fields and reasons of dead letters are listed in the order of the schema, which is the order of judgement."""
    fields = {field["name"]: field for field in schema("DeadLetter")["fields"]}
    table, _, reasons = section("Dead letters").partition("Reasons in the order")
    assert first_column(table) == [marked(field) for field in fields.values()]
    assert first_column(reasons) == fields["reason"]["type"]["symbols"]


def test_what_the_page_calls_reserved_is_refused_by_name() -> None:
    """The keys that definitions refuse as not there yet are those that the page marks so."""
    marked = [line for line in section("Offers").splitlines() if "*(not yet)*" in line]
    listed = set(re.findall(r"`([a-z_]+)`(?=[^;]*\*\(not yet\)\*)", " ".join([*marked, section("Settings")])))
    assert set(NOT_YET) <= listed


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Relative links name files that exist; anchors name headings that exist."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, target
