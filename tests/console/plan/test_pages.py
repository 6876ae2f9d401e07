"""The pages about the event plan."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import click
import fastavro
import pytest
from click.testing import CliRunner
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from console.cli.paths import writing_below
from console.cli.plan import plan
from console.plan.asyncapi import asyncapi
from console.plan.folder import NotOurs, write_folder
from console.plan.pages import escape_markdown, pages
from tests.console.plan.hostile import TEXTS, view
from tests.interop.node import installed

ROOT = Path(__file__).parents[3]
PAGES = pages(view(), TEXTS[0], "offerflow.")
COMMON_MARK = MarkdownIt("js-default", {"linkify": False})


class Page(HTMLParser):
    """Tags, attributes and text of an HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: dict[str, str] = {}
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self._in = tag

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        self.text[self._in] = self.text.get(self._in, "") + data


def test_html_holds_nothing_of_a_sender() -> None:
    """Hostile names and texts add no tag and no attribute to the page, whose policy allows its own script and style
    alone, and which loads nothing."""
    page = Page(PAGES["index.html"])
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert page.tags.count("article") == len(TEXTS)
    assert not {"img", "b", "iframe", "object", "form"} & set(page.tags)
    names = {name for name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert not {"src", "style"} & names
    assert all(value and value.startswith("#") for name, value in page.attributes if name == "href")
    policy = next(str(value) for name, value in page.attributes if name == "content" and "default-src" in str(value))
    for tag in ("script", "style"):
        digest = base64.b64encode(hashlib.sha256(page.text[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_markdown_holds_nothing_of_a_sender() -> None:
    """Rendered, the Markdown pages have no link, picture, code or HTML but our own links, and one table row each."""
    for name, text in PAGES.items():
        if name.endswith(".md"):
            page = Page(COMMON_MARK.render(text))
            assert not {"script", "img", "code", "pre", "b", "em", "strong", "ol"} & set(page.tags), name
            hrefs = [str(value) for key, value in page.attributes if key == "href"]
            assert all(re.fullmatch(r"events/Hostile\d+\.md|asyncapi\.yaml|\.\./index\.md", href) for href in hrefs), (
                name
            )
    index = Page(COMMON_MARK.render(PAGES["index.md"]))
    assert index.tags.count("tr") == len(TEXTS) + 1


@pytest.mark.parametrize("text", TEXTS)
def test_markdown_shows_what_was_meant(text: str) -> None:
    """Escaped and rendered, a text reads as it was, on one line and without what cannot be seen."""
    rendered = Page(COMMON_MARK.render(escape_markdown(text))).text
    seen = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    assert rendered["p"].strip() == seen


def test_pages_are_deterministic_and_complete(tmp_path: Path) -> None:
    """The same plan gives the same bytes; a page of an event that is gone goes too."""
    assert pages(view(), TEXTS[0], "offerflow.") == PAGES
    (tmp_path / "events").mkdir()
    (tmp_path / "events" / "Gone.md").write_text(PAGES["events/Hostile0.md"])
    written = write_folder(tmp_path, PAGES)
    assert sorted(str(one.relative_to(tmp_path)) for one in written) == sorted(PAGES)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(written)


def test_files_of_others_are_safe(tmp_path: Path) -> None:
    """What something else wrote is neither deleted nor overwritten, and then nothing is written; with force it is
    overwritten where a page has its name, and never deleted."""
    notes = tmp_path / "events" / "notes.md"
    notes.parent.mkdir()
    notes.write_text("# by hand")
    write_folder(tmp_path, PAGES)
    assert notes.read_text() == "# by hand"
    for name in ("index.md", "asyncapi.yaml"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "index.html").unlink()
    with pytest.raises(NotOurs, match=r"index\.md, asyncapi\.yaml; nothing was written.*--force"):
        write_folder(tmp_path, PAGES)
    assert (tmp_path / "index.md").read_text() == "mine"
    assert not (tmp_path / "index.html").exists()
    write_folder(tmp_path, PAGES, force=True)
    assert (tmp_path / "index.md").read_text() == PAGES["index.md"]
    assert notes.read_text() == "# by hand"
    write_folder(tmp_path, PAGES)  # its own pages need no force


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A directory that cannot be made is a usage error that names it and says why, for `docs` and for `infer`."""
    (tmp_path / "file").write_text("")
    (tmp_path / "samples").write_text('{"amount": 1}\n')
    workspace = ["--workspace", str(ROOT / "schemas" / "events")]
    docs = CliRunner().invoke(plan, ["docs", str(tmp_path / "file" / "x"), *workspace])
    assert docs.exit_code == 2
    assert f"cannot write {tmp_path / 'file' / 'x'}" in docs.stderr
    assert "Not a directory" in docs.stderr
    with pytest.raises(click.BadParameter, match="Not a directory"), writing_below(tmp_path, "--out"):
        (tmp_path / "file" / "x").mkdir()


def test_from_a_workspace_without_a_broker(tmp_path: Path) -> None:
    """`plan docs --workspace` describes a folder, and tells what is wrong with one."""
    runner = CliRunner()
    done = runner.invoke(plan, ["docs", str(tmp_path / "out"), "--workspace", str(ROOT / "schemas" / "events"),
                                "--workspace", str(ROOT / "deploy" / "demo"), "--output", "json"])  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)["files"]) == 41
    page = (tmp_path / "out" / "events" / "PurchaseCompleted.md").read_text()
    assert "| order\\_id | string | required |  | unique |  |" in page
    assert "activation-test" in page
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.avsc").write_text('{"type": "record"}')
    wrong = runner.invoke(plan, ["docs", str(tmp_path / "out"), "--workspace", str(tmp_path / "bad")])
    assert wrong.exit_code == 1
    assert "x.avsc:1" in wrong.stderr


def test_asyncapi_is_valid() -> None:
    """The AsyncAPI parser finds nothing wrong with the document of a hostile plan, and reads every message."""
    script = (Path(__file__).parent / "asyncapi.mjs").read_text()
    done = installed().run(script, stdin=PAGES["asyncapi.yaml"])
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one for one in told["diagnostics"] if one["code"] != "asyncapi-latest-version"] == []
    assert told["messages"] == 3 * len(TEXTS) + 8


def test_asyncapi_holds_the_plan() -> None:
    """The text is the document; every Avro schema in it is one; raw topics are those of sources and the fixed ones."""
    document = asyncapi(view(), TEXTS[0], "offerflow.")
    assert YAML(typ="safe").load(PAGES["asyncapi.yaml"]) == document
    assert {channel["address"] for channel in document["channels"].values()} >= {
        "offerflow.raw.sdk", "offerflow.raw.backend", "offerflow.raw.integration", "offerflow.raw.app",
        "offerflow.journal", "offerflow.dead-letter", "offerflow.reward-satisfied",
    }  # fmt: skip
    avro = [one["schema"] for one in document["components"]["schemas"].values() if "schemaFormat" in one]
    assert len(avro) == len(TEXTS)
    for schema in avro:
        fastavro.parse_schema(schema)
    assert document["info"]["version"] == "7"
