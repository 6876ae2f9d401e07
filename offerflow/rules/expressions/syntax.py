"""Syntax of expressions: tokens, tree, a precedence-climbing parser, and the canonical text of a tree.

Grammar and literals follow the Common Expression Language (github.com/google/cel-spec, doc/langdef.md), of which
this is a subset. What CEL has and this subset lacks is recognised, so that the error can name it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import NoReturn

MAX_DEPTH = 32
MAX_TERMS = 300
"""Operands of all ``&&`` and ``||``: their chain is walked by recursion, here and in the closures made of it."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>(?:[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+))
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<op>==|!=|<=|>=|&&|\|\||[-+*/%<>!()\[\],.?:])
    )""",
    re.VERBOSE,
)
_ESCAPES = {
    "n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
    "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?",
}  # fmt: skip
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_NOT_YET = {"+": "arithmetic", "*": "arithmetic", "/": "arithmetic", "%": "arithmetic", "-": "arithmetic"}
_IN_WORDS = {"and": "; did you mean '&&'?", "or": "; did you mean '||'?", "is": "; did you mean '=='?"}
_FUNCTIONS = ("size", "startsWith", "endsWith", "contains", "lowerAscii", "timestamp", "duration", "matches", "has")


class ExpressionError(ValueError):
    """``message`` says what is wrong and what was expected; ``column`` counts from 1 in the expression's text."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(message)
        self.column = column


@dataclass(frozen=True, slots=True)
class Literal:
    value: str | int | float | bool
    column: int


@dataclass(frozen=True, slots=True)
class Property:
    """``path`` of names: ``("amount",)``, ``("address", "city")``, ``("meta", "source")``."""

    path: tuple[str, ...]
    column: int


@dataclass(frozen=True, slots=True)
class Compare:
    op: str
    left: Literal | Property
    right: Literal | Property
    column: int


@dataclass(frozen=True, slots=True)
class Member:
    item: Literal | Property
    choices: tuple[Literal, ...]
    column: int


@dataclass(frozen=True, slots=True)
class IsSet:
    property: Property
    column: int


@dataclass(frozen=True, slots=True)
class Not:
    term: Node
    column: int


@dataclass(frozen=True, slots=True)
class Both:
    left: Node
    right: Node
    column: int


@dataclass(frozen=True, slots=True)
class Either:
    left: Node
    right: Node
    column: int


Node = Literal | Property | Compare | Member | IsSet | Not | Both | Either


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse(text: str) -> Node:
    """The tree of ``text``. Raises ExpressionError at the first place that cannot be read."""
    parser = _Parser(_tokens(text), len(text) + 1)
    tree = parser.either(0)
    if parser.here.kind != "end":
        hint = _IN_WORDS.get(parser.here.text.lower(), "")
        parser.fail(f"expected an operator or the end, got {parser.here.text!r}{hint}")
    return tree


def render(node: Node) -> str:
    """The canonical text of a tree: two spellings of the same expression render alike."""
    match node:
        case Literal(value=value):
            return json.dumps(value, ensure_ascii=False)
        case Property(path=path):
            return ".".join(path)
        case Compare(op=op, left=left, right=right):
            return f"{render(left)} {op} {render(right)}"
        case Member(item=item, choices=choices):
            return f"{render(item)} in [{', '.join(map(render, choices))}]"
        case IsSet(property=prop):
            return f"is_set({render(prop)})"
        case Not(term=term):
            return f"!({render(term)})"
        case Both(left=left, right=right):
            return f"({render(left)} && {render(right)})"
        case Either(left=left, right=right):
            return f"({render(left)} || {render(right)})"


def properties(node: Node) -> frozenset[str]:
    """The top-level properties an expression reads; ``meta`` is not one."""
    match node:
        case Property(path=path):
            return frozenset() if path[0] == "meta" else frozenset(path[:1])
        case Compare(left=left, right=right) | Both(left=left, right=right) | Either(left=left, right=right):
            return properties(left) | properties(right)
        case Member(item=item):
            return properties(item)
        case IsSet(property=prop):
            return properties(prop)
        case Not(term=term):
            return properties(term)
        case Literal():
            return frozenset()


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip()) + 1
            sign = text[column - 1]
            hint = f"; did you mean '{sign}{sign}'?" if sign in "=&|" else ""
            raise ExpressionError(f"cannot read {sign!r} here{hint}", column)
        kind = str(match.lastgroup)
        found.append(_Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = [*tokens, _Token("end", "the end", end)]
        self._at = 0
        self._terms = 1

    @property
    def here(self) -> _Token:
        return self._tokens[self._at]

    def fail(self, message: str) -> NoReturn:
        raise ExpressionError(message, self.here.column)

    def take(self) -> _Token:
        token = self.here
        self._at += 1
        return token

    def accept(self, *ops: str) -> _Token | None:
        return self.take() if self.here.kind == "op" and self.here.text in ops else None

    def expect(self, op: str) -> None:
        if not self.accept(op):
            self.fail(f"expected {op!r}, got {self.here.text!r}")

    def joined(self, op: str) -> _Token | None:
        if self.here.text == op:
            self._terms += 1
            if self._terms > MAX_TERMS:
                self.fail(f"more than {MAX_TERMS} terms; expected a shorter expression, such as one with 'in'")
        return self.accept(op)

    def either(self, depth: int) -> Node:
        left = self.both(depth)
        while token := self.joined("||"):
            left = Either(left, self.both(depth), token.column)
        if self.here.text == "?":
            self.fail("not supported yet: the conditional operator '?:'")
        return left

    def both(self, depth: int) -> Node:
        left = self.relation(depth)
        while token := self.joined("&&"):
            left = Both(left, self.relation(depth), token.column)
        return left

    def relation(self, depth: int) -> Node:
        left = self.unary(depth)
        if token := self.accept(*_COMPARISONS):
            right = self.unary(depth)
            for side in (left, right):
                if not isinstance(side, Literal | Property):
                    raise ExpressionError("only a property or a literal can be compared", side.column)
            assert isinstance(left, Literal | Property)  # noqa: S101 - for the type checker; checked above
            assert isinstance(right, Literal | Property)  # noqa: S101
            left = Compare(token.text, left, right, token.column)
            if self.here.text in _COMPARISONS:
                self.fail("comparisons do not chain; join them with '&&'")
        elif self.here.kind == "name" and self.here.text == "in":
            column = self.take().column
            if not isinstance(left, Literal | Property):
                raise ExpressionError("only a property or a literal can stand before 'in'", left.column)
            left = Member(left, self.choices(depth), column)
        if self.here.kind == "op" and self.here.text in _NOT_YET:
            self.fail(f"not supported yet: {_NOT_YET[self.here.text]} ({self.here.text!r})")
        return left

    def choices(self, depth: int) -> tuple[Literal, ...]:
        if self.here.text != "[":
            self.fail('expected a list of literals after \'in\', such as ["EUR", "USD"]')
        self.take()
        found: list[Literal] = []
        while not self.accept("]"):
            if found:
                self.expect(",")
                if self.accept("]"):
                    break
            item = self.unary(depth + 1)
            if not isinstance(item, Literal):
                raise ExpressionError("only literals can stand in a list", item.column)
            found.append(item)
        return tuple(found)

    def unary(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.fail(f"nested deeper than {MAX_DEPTH} levels")
        if token := self.accept("!"):
            return Not(self.unary(depth + 1), token.column)
        if token := self.accept("-"):
            number = self.unary(depth + 1)
            if not isinstance(number, Literal) or isinstance(number.value, str | bool):
                raise ExpressionError("'-' can only stand before a number", token.column)
            return Literal(-number.value, token.column)
        if self.accept("("):
            inner = self.either(depth + 1)
            self.expect(")")
            return inner
        return self.operand(depth)

    def operand(self, depth: int) -> Node:
        token = self.take()
        if token.kind == "number":
            return Literal(_number(token), token.column)
        if token.kind == "string":
            return Literal(_unescape(token), token.column)
        if token.kind == "name":
            return self.named(token, depth)
        raise ExpressionError(f"expected a property, a literal or '(', got {token.text!r}", token.column)

    def named(self, token: _Token, depth: int) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.text == "true", token.column)
        if token.text == "null":
            raise ExpressionError("null cannot be compared; ask is_set(property) instead", token.column)
        if token.text == "in":
            raise ExpressionError("expected a property or a literal before 'in'", token.column)
        path = [token.text]
        while self.accept("."):
            if self.here.kind != "name":
                self.fail(f"expected a name after '.', got {self.here.text!r}")
            path.append(self.take().text)
        if self.here.text == "[":
            self.fail("not supported yet: indexing with '[]'")
        if not self.accept("("):
            return Property(tuple(path), token.column)
        if path != ["is_set"]:
            function = path[-1]
            known = "not supported yet" if function in _FUNCTIONS else "unknown function"
            raise ExpressionError(f"{known}: {function}(); is_set(property) is there", token.column)
        argument = self.unary(depth + 1)
        if not isinstance(argument, Property):
            raise ExpressionError("is_set() takes the name of a property", argument.column)
        self.expect(")")
        return IsSet(argument, token.column)


def _number(token: _Token) -> int | float:
    # CEL's int and double are 64 bits wide.
    if not token.text.isdigit():
        if not math.isfinite(value := float(token.text)):
            raise ExpressionError("the number is too large for a double", token.column)
        return value
    digits = token.text.lstrip("0") or "0"
    if len(digits) > 19 or int(digits) >= 2**63:
        raise ExpressionError("the number is too large for an integer of 64 bits", token.column)
    return int(digits)


def _unescape(token: _Token) -> str:
    def one(match: re.Match[str]) -> str:
        if match[1]:
            return chr(int(match[1], base=16))
        if match[0][1] not in _ESCAPES:
            raise ExpressionError(f"unknown escape {match[0]!r} in a string", token.column + match.start() + 1)
        return _ESCAPES[match[0][1]]

    return re.sub(r"\\u([0-9a-fA-F]{4})|\\.", one, token.text[1:-1])
