"""What is wrong with an expression, said with the place and what was expected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.rules.expressions import ExpressionError, check, compile_test, parse, properties, render
from offerflow.rules.expressions.syntax import Node
from tests.offerflow.rules.expressions import strategies
from tests.offerflow.rules.expressions.samples import PLANNED

UNREADABLE = [
    ("", 1, ["expected a property", "the end"]),
    ("   ", 4, ["the end"]),
    ("x >", 4, ["expected a property", "the end"]),
    ("x > 1 &&", 9, ["the end"]),
    ("x = 1", 3, ["cannot read '='"]),
    ("x > 1 & b", 7, ["cannot read '&'"]),
    ("x @ 1", 3, ["cannot read '@'"]),
    ('s == "open', 6, ["cannot read '\"'"]),
    ('s == "two\nlines"', 6, ["cannot read"]),
    (r's == "\q"', 7, ["unknown escape", r"\\q"]),
    (r's == "ab\u12"', 9, ["unknown escape"]),
    ("x > 1 n > 1", 7, ["expected an operator or the end", "'n'"]),
    ("(x > 1", 7, ["expected ')'", "the end"]),
    ("x > 1)", 6, ["expected an operator", "')'"]),
    ("1 < x < 3", 7, ["do not chain", "&&"]),
    ("x == n == b", 8, ["do not chain"]),
    ("!b == b", 1, ["only a property, a literal or what is computed of them can be compared"]),
    ("(x > 1) == b", 4, ["can be compared"]),
    ("is_set(x) == b", 1, ["can be compared"]),
    ("(x > 1) in [1]", 4, ["before 'in'"]),
    ("s in", 5, ["expected a list"]),
    ("s in tags", 6, ["expected a list of literals"]),
    ("s in [n]", 7, ["only literals"]),
    ("s in ['a' 'b']", 11, ["expected ','"]),
    ("s in ['a'", 10, ["expected ','"]),
    ("in ['a']", 1, ["before 'in'"]),
    ("x > -(s == s)", 9, ["before a number"]),
    ("x > -'a'", 5, ["before a number"]),
    ("-true", 1, ["before a number"]),
    ("x == null", 6, ["null", "is_set"]),
    ("x.", 3, ["expected a name after '.'"]),
    ("x.1", 3, ["expected a name after '.'", "'1'"]),
    ("tags[0] == 1", 5, ["not supported", "indexing"]),
    ("x + (x > 1) > 2", 8, ["'+' needs two numbers"]),
    ("x +", 4, ["expected a property", "the end"]),
    ("x > 1 ? b : b", 7, ["not supported", "conditional"]),
    ("matches(s, 'a')", 1, ["asked of a property", 'name.matches("^A")']),
    ("startsWith('a')", 1, ["asked of a property", 'name.startsWith("A")']),
    ("s.is_set()", 3, ["is_set() is not asked of anything"]),
    ("s.duration()", 3, ["not asked of anything"]),
    ("isset(x)", 1, ["unknown function isset(); did you mean 'is_set'?"]),
    ("s.upper() == 'A'", 3, ["unknown function upper()", "there are size, timestamp"]),
    ("s.startsWith() == b", 14, ["expected a property"]),
    ("s.startsWith('a', 'b')", 17, ["expected ')'"]),
    ("s.matches(key)", 3, ["takes an RE2 expression in quotes"]),
    ("s.lowerAscii('a')", 14, ["expected ')'"]),
    ("size() > 1", 6, ["expected a property"]),
    ("at > timestamp(s)", 16, ["takes a text in quotes"]),
    ('at > timestamp("2026-03-01")', 16, ["expected a time of RFC 3339"]),
    ('at > timestamp("2026-02-30T00:00:00Z")', 16, ["there is no such time"]),
    ('at - at > duration("1y")', 20, ["expected a duration such as", "36h"]),
    ('at - at > duration("0.0001s")', 20, ["whole milliseconds"]),
    ("at - at > duration(5)", 20, ["takes a text in quotes"]),
    ("x" * 10_001, 1, ["10001 characters"]),
    ("is_set(1)", 8, ["takes the name of a property"]),
    ("is_set(x > 1)", 10, ["expected ')'"]),
    ("is_set()", 8, ["expected a property"]),
    ("x > 1e999", 5, ["number"]),
    ("n > 9223372036854775808", 5, ["number"]),
    ("n > 1" + "0" * 5000, 5, ["number"]),
    ("(" * 40 + "b" + ")" * 40, 34, ["deeper than 32"]),
    ("!" * 40 + "b", 34, ["deeper than 32"]),
]
UNFIT = [
    ("y > 1", 1, ["A has no property 'y'", "x"]),
    ("plann == 'plus'", 1, ["'plann'", "did you mean 'plan'"]),
    ("x > 1 && home.cty == 'a'", 10, ["home has no property 'cty'", "did you mean 'city'"]),
    ("x.y > 1", 1, ["x has no property 'y'"]),
    ("home.geo.zip.more == 1", 1, ["home.geo.zip has no property 'more'"]),
    ("meta.sauce == 'a'", 1, ["meta has no property 'sauce'", "did you mean 'source'"]),
    ("meta.source.x == 'a'", 1, ["meta.source has no property 'x'"]),
    ("meta == 1", 1, ["no property 'meta'"]),
    ('x > "5"', 3, ["a number with a string", "never true"]),
    ("s == 1", 3, ["a string with a number"]),
    ("b == 1", 3, ["a boolean with a number"]),
    ("x == s", 3, ["a number with a string"]),
    ("b > false", 3, ["needs numbers, strings or times"]),
    ("b < b", 3, ["needs numbers, strings or times"]),
    ("any > true", 5, ["needs numbers, strings or times"]),
    ("n in [1, 'a']", 3, ["a number with a string"]),
    ('plan == "plu"', 9, ["'plu'", "did you mean 'plus'"]),
    ('plan == "x"', 9, ["'x'", "expected one of free, plus, pro"]),
    ('"x" == plan', 1, ["'x'", "free, plus, pro"]),
    ('plan in ["plus", "prox"]', 18, ["'prox'", "did you mean 'pro'"]),
    ("meta.origin == 'server'", 16, ["sdk, backend, integration"]),
    ("at > 5", 4, ["a time with a number", 'write timestamp("…")']),
    ("meta.time > 5", 11, ["a time with a number"]),
    ('at > "2026-03-01T00:00:00Z"', 4, ["a time with a string", 'write timestamp("…")']),
    ("any > at", 5, ["a time with a property that is planned without a type"]),
    ("any == at - at", 5, ["a time with a property"]),
    ("at + at > at", 4, ["'+' of a time and a time has no result"]),
    ("at - at > 5", 9, ["a duration with a number"]),
    ('at - duration("1h") > duration("1h")', 21, ["a time with a duration"]),
    ("at * 2 > at", 4, ["'*' of a time and a number has no result"]),
    ("s + s == 'aa'", 3, ["a string and a string has no result", "texts cannot be joined"]),
    ("x + s > 1", 3, ["a number and a string"]),
    ("-s > 1", 1, ["before a number, got a string"]),
    ("-b > 1", 1, ["before a number, got a boolean"]),
    ("x / 0 > 1", 3, ["divides by zero"]),
    ("n % 0 == 1", 3, ["divides by zero"]),
    ("x % 2 == 1", 3, ["needs integers"]),
    ("n % 2.0 == 1", 3, ["needs integers"]),
    ("size(x) > 1", 1, ["a string, a list or a map, got a number"]),
    ("size(home) > 1", 1, ["got a record"]),
    ("x.startsWith('a')", 3, ["asked of a string, got a number"]),
    ("s.contains(x)", 12, ["takes a string, got a number"]),
    ("s.lowerAscii()", 3, ["this is a string, expected a comparison"]),
    ("size(s)", 1, ["this is a number, expected a comparison"]),
    ("s.contains('a') > true", 17, ["needs numbers"]),
    ("s.matches('(')", 11, ["is not an RE2 expression", "missing )"]),
    ("s.matches('(?=a)')", 11, ["is not an RE2 expression"]),
    ("s.matches('((a{100}){100}){100}')", 11, ["is not an RE2 expression"]),
    ("1 + 1 == 2", 7, ["two literals"]),
    ("tags in ['a']", 6, ["a list cannot be compared; size() of it can"]),
    ("tags == 'a'", 6, ["a list cannot be compared"]),
    ("home == 'a'", 6, ["a record cannot be compared"]),
    ("home in ['a']", 6, ["a record cannot be compared"]),
    ("x", 1, ["x is a number", "expected a comparison"]),
    ("s || b", 1, ["s is a string"]),
    ("b && plan", 6, ["plan is an enum"]),
    ("5", 1, ["a literal alone"]),
    ("b && 'a'", 6, ["a literal alone"]),
    ("1 == 1", 3, ["two literals"]),
    ("phone == '1'", 1, ["phone", "pii"]),
    ("is_set(phone)", 8, ["phone", "pii"]),
    ("secret.city == 'a'", 1, ["secret.city", "pii"]),
    ("loose == 1", 1, ["loose", "pii"]),
]


IMPOSSIBLE = [
    ("x > 5 && x < 3", 12, "is never true together with what else is asked of x"),
    ("x >= 5 && b && 5 > x", 18, "asked of x"),
    ("x == 5 && x != 5", 13, "asked of x"),
    ("n > 5 && n < 6", 12, "asked of n"),
    ("x > 5 && (b || x < 5)", 18, "asked of x"),
    ("b && (x < 3 || n == 1) && x > 3", 9, "asked of x"),
    ('s == "a" && s == "b"', 15, "asked of s"),
    ('s in ["a", "b"] && s == "c"', 22, "asked of s"),
    ('s == "a" && s != "a"', 15, "asked of s"),
    ('plan != "free" && plan != "plus" && plan != "pro"', 42, "asked of plan"),
    ("b == true && b == false", 16, "asked of b"),
    ("from0 < 0", 7, "is never true: from0 is at least 0 and at most 100 by the event plan"),
    ("100 < from0", 5, "is at least 0 and at most 100 by the event plan"),
    ("from0 == -1 || b", 7, "by the event plan"),
    ("size(s) < 0", 9, "size(s) is at least 0"),
    ("size(s) > 2 && size(s) < 2", 24, "asked of size(s)"),
    ('at > timestamp("2026-03-01T00:00:00Z") && at < timestamp("2026-02-01T00:00:00Z")', 46, "asked of at"),
]
POSSIBLE = [
    "x > 5 || x < 3", "x >= 5 && x <= 5", "n > 5 && n < 7", "x > 5 && x < 6", "!(x > 5) && x > 5", "!(from0 < 0)",
    "from0 >= 0", "from0 <= 100", 'plan != "free" && plan != "plus"', "x > 5 && n < 3", "x > n && x < n",
    "x + 1 > 5 && x + 1 < 3", 's in ["a", "b"] && s in ["b", "c"]', "n in [1] && n == 2",
    "(x > 5 || b) && (x < 3 || b)",
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "words"), IMPOSSIBLE, ids=[one[0] for one in IMPOSSIBLE])
def test_what_no_event_could_pass(text: str, column: int, words: str) -> None:
    """Ranges that exclude each other, or what the plan allows, are found where they stand together."""
    with pytest.raises(ExpressionError, match="is never true") as raised:
        check(parse(text), PLANNED)
    assert (raised.value.column, words in str(raised.value)) == (column, True), raised


@pytest.mark.parametrize("text", POSSIBLE)
def test_what_some_event_may_pass(text: str) -> None:
    """Alternatives, negations and what only looks like a contradiction are left alone."""
    check(parse(text), PLANNED)


@pytest.mark.parametrize(("text", "column", "words"), UNREADABLE, ids=[one[0][:20] for one in UNREADABLE])
def test_what_cannot_be_read(text: str, column: int, words: list[str]) -> None:
    """The first place that cannot be read is named by column, with what was expected there."""
    with pytest.raises(ExpressionError) as raised:
        parse(text)
    assert (raised.value.column, [word for word in words if word not in str(raised.value)]) == (column, []), raised


@pytest.mark.parametrize(("text", "column", "words"), UNFIT, ids=[one[0] for one in UNFIT])
def test_what_does_not_fit_the_plan(text: str, column: int, words: list[str]) -> None:
    """Names and types that cannot be right for the event are found before anything runs, and named."""
    tree = parse(text)
    with pytest.raises(ExpressionError) as raised:
        check(tree, PLANNED)
    assert (raised.value.column, [word for word in words if word not in str(raised.value)]) == (column, []), raised


def check_any(text: str) -> None:
    """Compiled and rendered to what reads the same, or refused at a place that lies in the text."""
    try:
        tree = parse(text)
        check(tree, PLANNED)
    except ExpressionError as error:
        refused = error
    else:
        compile_test(tree)
        check(parse(render(tree)), PLANNED)
        return
    assert 1 <= refused.column <= len(text) + 1
    assert str(refused)


LONG = [
    "is_set(" * 500 + "x" + ")" * 500,
    "x in [(" * 500,
    "-" * 2000 + "1 < x",
    " && ".join(["b"] * 20_000),
    " || ".join(["b && b"] * 20_000),
    "(" * 100_000,
    "x" + ".x" * 100_000,
    "!(" * 20 + "b" + ")" * 20 + "|| b" * 5000,
]


@pytest.mark.parametrize("text", LONG, ids=range(len(LONG)))
def test_no_expression_is_too_long_to_refuse(text: str) -> None:
    """However long or deep, an expression is compiled or refused with a place; the stack is never exhausted."""
    check_any(text)


_words = st.sampled_from(
    ["x", "n", "s", "b", "any", "meta", ".", "source", "==", "!=", "<", ">=", "&&", "||", "!", "(", ")", "[", "]", ",",
     "in", "is_set", "is_set(", "1", "-", "1.5", "1e3", "1e400", '"a"', "'b'", "true", "null", "size", "?", "+", " ",
     "\\", '"', "٣", "\x1f", "é", "+", "-", "*", "/", "%", ".contains(", ".matches(", ".lowerAscii()", "size(",
     "timestamp(",
     '"2026-03-01T00:00:00Z"', "duration(", '"1h"', "at", "n"]
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(text=st.lists(_words, max_size=14).map("".join) | st.text(max_size=30) | st.binary(max_size=30).map(
    lambda data: data.decode("latin-1")
))  # fmt: skip
def test_any_text(text: str) -> None:
    """Any text at all is refused with an ExpressionError whose column lies in it, or compiles and renders."""
    check_any(text)


@settings(deadline=None, max_examples=200)
@given(tree=strategies.trees().filter(lambda tree: strategies.depth(tree) < 30))
def test_rendered_and_parsed_again(tree: Node) -> None:
    """The canonical text of any tree gives that very tree: two spellings of one expression count as one leaf."""
    assert strategies.bare(parse(render(tree))) == strategies.bare(tree)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("x>1&&b||!b", "((x > 1 && b) || !(b))"),
        ("b || b && b", "(b || (b && b))"),
        ("((x)) > -1", "x > -1"),
        ("s == 'it\\'s'", 's == "it\'s"'),
        ("s in ['a',]", 's in ["a"]'),
        ("b && b && b", "(b && b && b)"),
        ("b && (b && b)", "(b && (b && b))"),
        ("n - 1 + 2 > n - (1 + 2)", "(n - 1 + 2) > (n - (1 + 2))"),
        ("n*2/3%4 > 1+2*3", "(((n * 2) / 3) % 4) > (1 + (2 * 3))"),
        ("-n > - 1", "-(n) > -1"),
        ("s.lowerAscii( ).contains('A')", 's.lowerAscii().contains("A")'),
        ("size( tags )>2", "size(tags) > 2"),
        ("tags.size() > 2", "size(tags) > 2"),
        ('at < timestamp("2026-03-01T09:00:00+01:00")', 'at < timestamp("2026-03-01T08:00:00.000Z")'),
        ('at - at > duration("1h30m")', '(at - at) > duration("5400000ms")'),
        ('at - at > duration("-1.5s")', '(at - at) > duration("-1500ms")'),
        ("is_set( home . city )", "is_set(home.city)"),
        ("x > 1E2", "x > 100.0"),
        ("s == 'ä'", 's == "ä"'),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    """Precedence and spelling as the contract has them: || weakest, then &&, comparisons, !."""
    assert render(parse(text)) == canonical


def test_properties_that_are_read() -> None:
    """Only top-level names of the event count, since they decide what a reader decodes; meta is always there."""
    text = "x > n || is_set(home.city) && !(s in ['a']) && meta.source == 'a' && b && 'a' == plan && true"
    assert properties(parse(text)) == {"x", "n", "home", "s", "b", "plan"}
