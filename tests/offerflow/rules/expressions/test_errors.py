"""What is wrong with an expression, said with the place and what was expected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offerflow.rules.expressions import ExpressionError, check, compile_test, parse, properties, render
from offerflow.rules.expressions.syntax import Node
from tests.offerflow.rules.expressions import strategies
from tests.offerflow.rules.samples import TYPES

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
    ("!b == b", 1, ["only a property or a literal can be compared"]),
    ("(x > 1) == b", 4, ["only a property or a literal can be compared"]),
    ("is_set(x) == b", 1, ["only a property or a literal can be compared"]),
    ("(x > 1) in [1]", 4, ["before 'in'"]),
    ("s in", 5, ["expected a list"]),
    ("s in tags", 6, ["expected a list of literals"]),
    ("s in [n]", 7, ["only literals"]),
    ("s in ['a' 'b']", 11, ["expected ','"]),
    ("s in ['a'", 10, ["expected ','"]),
    ("in ['a']", 1, ["before 'in'"]),
    ("x > -s", 5, ["before a number"]),
    ("-true", 1, ["before a number"]),
    ("x == null", 6, ["null", "is_set"]),
    ("x.", 3, ["expected a name after '.'"]),
    ("x.1", 3, ["expected a name after '.'", "'1'"]),
    ("tags[0] == 1", 5, ["not supported yet", "indexing"]),
    ("x + 1 > 2", 3, ["not supported yet", "arithmetic", "'+'"]),
    ("x > 2 * 3", 7, ["not supported yet", "arithmetic"]),
    ("x > 1 ? b : b", 7, ["not supported yet", "conditional"]),
    ("size(s) > 1", 1, ["not supported yet", "size()"]),
    ("s.startsWith('a')", 1, ["not supported yet", "startsWith()"]),
    ("matches(s, 'a')", 1, ["not supported yet", "matches()"]),
    ("isset(x)", 1, ["unknown function", "is_set(property)"]),
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
    ("b > false", 3, ["needs numbers or strings"]),
    ("b < b", 3, ["needs numbers or strings"]),
    ("any > true", 5, ["needs numbers or strings"]),
    ("n in [1, 'a']", 3, ["a number with a string"]),
    ('plan == "plu"', 9, ["'plu'", "did you mean 'plus'"]),
    ('plan == "x"', 9, ["'x'", "expected one of free, plus, pro"]),
    ('"x" == plan', 1, ["'x'", "free, plus, pro"]),
    ('plan in ["plus", "prox"]', 18, ["'prox'", "did you mean 'pro'"]),
    ("meta.origin == 'server'", 16, ["sdk, backend, integration"]),
    ("at > 5", 4, ["not supported yet", "times"]),
    ("meta.time > 5", 11, ["not supported yet", "times"]),
    ("tags == 'a'", 6, ["a list cannot be compared"]),
    ("home == 'a'", 6, ["a record cannot be compared"]),
    ("home in ['a']", 6, ["a record cannot be compared"]),
    ("x", 1, ["x is a number", "expected a comparison"]),
    ("s || b", 1, ["s is a string"]),
    ("b && plan", 6, ["plan is a enum"]),
    ("5", 1, ["a literal alone"]),
    ("b && 'a'", 6, ["a literal alone"]),
    ("1 == 1", 3, ["two literals"]),
    ("phone == '1'", 1, ["phone", "pii"]),
    ("is_set(phone)", 8, ["phone", "pii"]),
    ("secret.city == 'a'", 1, ["secret.city", "pii"]),
    ("loose == 1", 1, ["loose", "pii"]),
]


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
        check(tree, TYPES["A"])
    assert (raised.value.column, [word for word in words if word not in str(raised.value)]) == (column, []), raised


def check_any(text: str) -> None:
    """Compiled and rendered to what reads the same, or refused at a place that lies in the text."""
    try:
        tree = parse(text)
        check(tree, TYPES["A"])
    except ExpressionError as error:
        refused = error
    else:
        compile_test(tree)
        check(parse(render(tree)), TYPES["A"])
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
     "\\", '"', "٣", "\x1f", "é"]
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
        ("b && b && b", "((b && b) && b)"),
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
