"""Text to tree, by precedence climbing. What CEL has and this subset lacks is recognised, so that errors name it."""

from __future__ import annotations

from typing import NoReturn

from offerflow.rules.expressions import tokens
from offerflow.rules.expressions.syntax import (
    FUNCTIONS,
    ON_STRINGS,
    Arithmetic,
    Both,
    Call,
    Compare,
    Either,
    ExpressionError,
    IsSet,
    Literal,
    Member,
    Negative,
    Node,
    Not,
    Property,
    Span,
    Time,
    Value,
)
from offerflow.rules.nearest import did_you_mean

MAX_DEPTH = 32
MAX_TERMS = 300
"""Operands of all operators that join: their chain is walked by recursion, here and in the closures made of it."""
MAX_LENGTH = 10_000

_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_IN_WORDS = {"and": "; did you mean '&&'?", "or": "; did you mean '||'?", "is": "; did you mean '=='?"}
_GLOBAL = ("size", "timestamp", "duration", "is_set")
_EXAMPLES = {"matches": 'name.matches("^A")', "lowerAscii": "name.lowerAscii()", "size": "size(name)"}


def parse(text: str) -> Node:
    """The tree of ``text``. Raises ExpressionError at the first place that cannot be read."""
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"has {len(text)} characters, expected at most {MAX_LENGTH}", 1)
    parser = _Parser(tokens.tokens(text))
    tree = parser.either(0)
    if parser.here.kind != "end":
        hint = _IN_WORDS.get(parser.here.text.lower(), "")
        parser.fail(f"expected an operator or the end, got {parser.here.text!r}{hint}")
    return tree


class _Parser:
    def __init__(self, found: list[tokens.Token]) -> None:
        self._tokens = found
        self._at = 0
        self._terms = 1

    @property
    def here(self) -> tokens.Token:
        return self._tokens[self._at]

    def fail(self, message: str) -> NoReturn:
        raise ExpressionError(message, self.here.column)

    def take(self) -> tokens.Token:
        token = self.here
        self._at += 1
        return token

    def accept(self, *ops: str) -> tokens.Token | None:
        return self.take() if self.here.kind == "op" and self.here.text in ops else None

    def expect(self, op: str) -> None:
        if not self.accept(op):
            self.fail(f"expected {op!r}, got {self.here.text!r}")

    def joined(self, *ops: str) -> tokens.Token | None:
        token = self.accept(*ops)
        if token:
            self._terms += 1
            if self._terms > MAX_TERMS:
                message = f"more than {MAX_TERMS} terms; expected a shorter expression, such as one with 'in'"
                raise ExpressionError(message, token.column)
        return token

    def either(self, depth: int) -> Node:
        left = self.both(depth)
        while token := self.joined("||"):
            left = Either(left, self.both(depth), token.column)
        if self.here.text == "?":
            self.fail("not supported: the conditional operator '?:'; write two conditions, or use && and ||")
        return left

    def both(self, depth: int) -> Node:
        left = self.relation(depth)
        while token := self.joined("&&"):
            left = Both(left, self.relation(depth), token.column)
        return left

    def relation(self, depth: int) -> Node:
        left = self.sum(depth)
        if token := self.accept(*_COMPARISONS):
            wanted = "only a property, a literal or what is computed of them can be compared"
            sides = [_value(side, wanted) for side in (left, self.sum(depth))]
            if self.here.text in _COMPARISONS:
                self.fail("comparisons do not chain; join them with '&&'")
            return Compare(token.text, sides[0], sides[1], token.column)
        if self.here.kind == "name" and self.here.text == "in":
            column = self.take().column
            item = _value(left, "only a property, a literal or what is computed of them can stand before 'in'")
            return Member(item, self.choices(depth), column)
        return left

    def sum(self, depth: int) -> Node:
        left = self.product(depth)
        while token := self.joined("+", "-"):
            left = _arithmetic(token, left, self.product(depth))
        return left

    def product(self, depth: int) -> Node:
        left = self.unary(depth)
        while token := self.joined("*", "/", "%"):
            left = _arithmetic(token, left, self.unary(depth))
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
            term = _value(self.unary(depth + 1), "'-' can only stand before a number")
            if isinstance(term, Literal):
                if isinstance(term.value, str | bool):
                    raise ExpressionError("'-' can only stand before a number", token.column)
                return Literal(-term.value, token.column)
            return Negative(term, token.column)
        if self.accept("("):
            inner = self.either(depth + 1)
            self.expect(")")
            return self.methods(inner, depth)
        return self.methods(self.operand(depth), depth)

    def operand(self, depth: int) -> Node:
        token = self.take()
        if token.kind == "number":
            return Literal(tokens.number(token), token.column)
        if token.kind == "string":
            return Literal(tokens.string(token), token.column)
        if token.kind == "name":
            return self.named(token, depth)
        raise ExpressionError(f"expected a property, a literal or '(', got {token.text!r}", token.column)

    def named(self, token: tokens.Token, depth: int) -> Node:
        if token.text in ("true", "false"):
            return Literal(token.text == "true", token.column)
        if token.text == "null":
            raise ExpressionError("null cannot be compared; ask is_set(property) instead", token.column)
        if token.text == "in":
            raise ExpressionError("expected a property or a literal before 'in'", token.column)
        if self.accept("("):
            return self.function(token, depth)
        path = [token.text]
        while self.here.text == "." and self.here.kind == "op" and not self._calls():
            self.take()
            if self.here.kind != "name":
                self.fail(f"expected a name after '.', got {self.here.text!r}")
            path.append(self.take().text)
        if self.here.text == "[":
            self.fail("not supported: indexing with '[]'")
        return Property(tuple(path), token.column)

    def _calls(self) -> bool:
        """Whether ``.name(`` follows."""
        ahead = [token.text for token in self._tokens[self._at : self._at + 3]]
        return len(ahead) == 3 and self._tokens[self._at + 1].kind == "name" and ahead[2] == "("

    def methods(self, target: Node, depth: int) -> Node:
        """``target`` with the calls that follow it."""
        while self.here.text == "." and self._calls():
            self.joined(".")
            token = self.take()
            self.take()
            name = token.text
            if name not in FUNCTIONS:
                self._unknown(token)
            value = _value(target, f"{name}() is asked of a string")
            argument = _value(self.sum(depth + 1), f"{name}() takes a string") if name in ON_STRINGS else None
            if name == "matches" and not (isinstance(argument, Literal) and isinstance(argument.value, str)):
                raise ExpressionError('matches() takes an RE2 expression in quotes, such as "^A"', token.column)
            self.expect(")")
            target = Call(name, value, argument, token.column)
        return target

    def function(self, token: tokens.Token, depth: int) -> Node:
        name = token.text
        if name not in _GLOBAL:
            self._unknown(token)
        argument = self.sum(depth + 1)
        self.expect(")")
        if name == "is_set":
            if not isinstance(argument, Property):
                raise ExpressionError("is_set() takes the name of a property", argument.column)
            return IsSet(argument, token.column)
        if name == "size":
            return Call("size", _value(argument, "size() takes a string, a list or a map"), None, token.column)
        if not isinstance(argument, Literal) or not isinstance(argument.value, str):
            raise ExpressionError(f"{name}() takes a text in quotes", argument.column)
        if name == "timestamp":
            return Time(tokens.time(argument.value, argument.column), token.column)
        return Span(tokens.span(argument.value, argument.column), token.column)

    def _unknown(self, token: tokens.Token) -> NoReturn:
        name = token.text
        if name in FUNCTIONS:
            example = _EXAMPLES.get(name, f'name.{name}("A")')
            raise ExpressionError(f"{name}() is asked of a property: {example}", token.column)
        if name in _GLOBAL:
            raise ExpressionError(f"{name}() is not asked of anything: {name}(…)", token.column)
        known = (*_GLOBAL, *FUNCTIONS)
        hint = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise ExpressionError(f"unknown function {name}(){hint}", token.column)


def _arithmetic(token: tokens.Token, left: Node, right: Node) -> Arithmetic:
    wanted = f"{token.text!r} needs two numbers"
    return Arithmetic(token.text, _value(left, wanted), _value(right, wanted), token.column)


def _value(node: Node, otherwise: str) -> Value:
    if isinstance(node, Compare | Member | IsSet | Not | Both | Either):
        raise ExpressionError(otherwise, node.column)
    return node
