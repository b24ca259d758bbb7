"""The calculator that a model may use while it writes, as in nanochat. An expression is read; nothing is executed.

It takes arithmetic without powers, `(12 + 3.5) * 2 // 4`, and how often a text has another, `'strawberry'.count('r')`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from typing import Any

ARITHMETIC = frozenset("0123456789*+-/.() ")
WORDS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'\"()._ ")
REFUSED = (
    *("__", "import", "exec", "eval", "compile", "open", "file", "input", "globals", "locals", "vars", "dir"),
    *("getattr", "setattr", "delattr", "hasattr"),
)
"""What nanochat refuses inside texts. Here these could do no harm; they are refused so that the answers are the same."""
LONGEST = 1000
"""Characters of an expression. Without powers, a result has no more digits than that."""

OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
}


def calculate(expression: str) -> str | None:
    """Return the result of an expression as Python prints it; None if it is not one that the calculator takes."""
    expression = expression.replace(",", "").strip(" ")
    if len(expression) > LONGEST:
        return None
    letters = set(expression)
    lower = expression.lower()
    if not letters <= ARITHMETIC and (
        not letters <= WORDS or ".count(" not in expression or any(word in lower for word in REFUSED)
    ):
        return None
    try:
        return str(_value(ast.parse(expression, mode="eval").body))
    except (ArithmeticError, MemoryError, RecursionError, SyntaxError, ValueError):
        return None


def _value(node: ast.AST) -> int | float:
    """Return the value of a part of an expression.

    Raises:
        ValueError: if it is neither arithmetic nor `text.count(text)`.
    """
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.BinOp(left, operation, right) if type(operation) in OPERATORS:
            return OPERATORS[type(operation)](_value(left), _value(right))  # type: ignore[no-any-return]
        case ast.UnaryOp(operation, operand) if type(operation) in OPERATORS:
            return OPERATORS[type(operation)](_value(operand))  # type: ignore[no-any-return]
        case ast.Call(
            ast.Attribute(ast.Constant(value=str() as text), "count"),
            [ast.Constant(value=str() as part)],
            [],
        ):
            return text.count(part)
    raise ValueError(type(node).__name__)
