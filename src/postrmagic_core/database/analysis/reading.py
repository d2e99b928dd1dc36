"""The walk through a parsed statement; imported once sqlglot is known to be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from .sqltext import number_of
from .statements import Columns, Role, Slot, Source, Trait

_SCOPES = (exp.Select, exp.Update, exp.Delete)
_EQUAL = (exp.EQ, exp.NullSafeEQ, exp.Is)
_COMPARED = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_LIKE = (exp.Like, exp.ILike)


@dataclass
class _Use:
    """A source while its columns are gathered; dictionaries keep the order and drop repeats."""

    number: int
    table: str
    alias: str
    found: dict[str, dict[str, None]] = field(default_factory=dict)
    order: tuple[tuple[str, bool], ...] = ()
    group: tuple[str, ...] = ()

    def add(self, kind: str, column: str) -> None:
        self.found.setdefault(kind, {})[column] = None


class Reader:
    """Gathers, for one statement, what its sources are asked for."""

    def __init__(self, tree: exp.Expr, dialect: str, columns: Columns) -> None:
        self.tree = tree
        self.functions: list[tuple[int, str, str]] = []
        self.keyset: list[str] = []
        self._dialect = "sqlite" if dialect == "sqlite" else "mysql"
        self._columns = columns
        self._uses: list[_Use] = []
        self._scopes: dict[int, list[_Use]] = {}
        self._traits: set[Trait] = set()
        self._find_tables()
        for column in tree.find_all(exp.Column):
            self._use(column)
        for scope in tree.find_all(*_SCOPES):
            self._read_scope(scope)

    def sources(self) -> tuple[Source, ...]:
        """Every use of a table, in the order the statement names them."""
        return tuple(
            Source(
                use.table,
                use.alias,
                order=use.order,
                group=use.group,
                **{
                    kind: tuple(use.found.get(kind, ()))
                    for kind in ("equal", "lists", "ranges", "likes", "joins", "used")
                },
            )
            for use in self._uses
        )

    def slots(self, count: int) -> tuple[Slot, ...]:
        """What each of the ``count`` placeholders stands for, in the text's order."""
        found = {number_of(mark.name): self._slot(mark) for mark in self.tree.find_all(exp.Placeholder)}
        return tuple(found.get(number, Slot("other")) for number in range(count))

    def traits(self) -> frozenset[Trait]:
        """What about the statement deserves a remark."""
        if self.tree.find(exp.Offset) is not None:
            self._traits.add("offset")
        if isinstance(self.tree, exp.Select):
            self._select_traits(self.tree)
        for negation in self.tree.find_all(exp.Not):
            inside = negation.this.unnest()
            if isinstance(inside, exp.In) and inside.args.get("query") is not None:
                self._traits.add("not in")
        for like in self.tree.find_all(*_LIKE):
            self._traits.add("contains" if len(_marks(like.expression)) > 2 else "pattern")
        return frozenset(self._traits)

    def _select_traits(self, select: exp.Select) -> None:
        if any(
            isinstance(shown, exp.Star) or (isinstance(shown, exp.Column) and shown.is_star)
            for shown in select.expressions
        ):
            self._traits.add("star")
        counts = [shown for shown in select.expressions if isinstance(shown.unalias(), exp.Count)]
        if counts and len(counts) == len(select.expressions) and select.args.get("group") is None:
            self._traits.add("count all")
        if self._uses and select.args.get("where") is None and select.args.get("limit") is None:
            self._traits.add("unfiltered")

    def _find_tables(self) -> None:
        named = {part.alias for part in self.tree.find_all(exp.CTE)}
        for table in self.tree.find_all(exp.Table):
            scope = table.find_ancestor(*_SCOPES)
            if scope is not None and table.name and table.name not in named:
                use = _Use(len(self._uses), self._known(table.name), table.alias or table.name)
                self._uses.append(use)
                self._scopes.setdefault(id(scope), []).append(use)

    def _known(self, name: str) -> str:
        """The table's name as the database spells it: SQLite compares without case."""
        if name in self._columns:
            return name
        return next((known for known in self._columns if known.lower() == name.lower()), name)

    def _use(self, column: exp.Column) -> _Use | None:
        """The source that ``column`` belongs to; noted there as used."""
        scope: Any = column.find_ancestor(*_SCOPES)
        while scope is not None:
            for use in self._scopes.get(id(scope), []):
                if self._owns(use, column, len(self._scopes[id(scope)])):
                    if not column.is_star:
                        use.add("used", column.name)
                    return use
            scope = scope.find_ancestor(*_SCOPES)
        return None

    def _owns(self, use: _Use, column: exp.Column, rivals: int) -> bool:
        if column.table:
            return column.table.lower() == use.alias.lower()
        known = self._columns.get(use.table)
        if known is None:
            return rivals == 1
        return column.name.lower() in {name.lower() for name in known}

    def _read_scope(self, scope: exp.Expr) -> None:
        where = scope.args.get("where")
        conditions = [] if where is None else [where.this]
        for join in scope.args.get("joins") or ():
            if join.args.get("on") is not None:
                conditions.append(join.args["on"])
            for shared in join.args.get("using") or ():
                for use in self._scopes.get(id(scope), []):
                    if shared.name in self._columns.get(use.table, ()):
                        use.add("joins", shared.name)
        for condition in conditions:
            for predicate in _conjuncts(condition):
                self._read(predicate)
        self._read_order(scope)

    def _read(self, predicate: exp.Expr) -> None:
        if isinstance(predicate, exp.Escape):
            predicate = predicate.this
        if isinstance(predicate, exp.Or):
            self._traits.add("or")
            self._read_keyset(predicate)
        elif isinstance(predicate, exp.In):
            self._note(predicate.this, "lists" if predicate.args.get("query") is None else "joins")
        elif isinstance(predicate, exp.Between):
            self._note(predicate.this, "ranges")
        elif isinstance(predicate, _LIKE):
            self._note(predicate.this, "likes")
        elif isinstance(predicate, _EQUAL + _COMPARED):
            self._read_comparison(predicate)

    def _read_comparison(self, predicate: exp.Expr) -> None:
        kind = "equal" if isinstance(predicate, _EQUAL) else "ranges"
        left, right = predicate.this.unnest(), predicate.expression.unnest()
        if isinstance(left, exp.Tuple):
            left = left.expressions[0] if left.expressions else left
        if isinstance(left, exp.Column) and isinstance(right, exp.Column):
            for side in (left, right):
                self._note(side, "joins" if kind == "equal" else "used")
            return
        for side, other in ((left, right), (right, left)):
            if other.find(exp.Column) is None:
                self._note(side, kind)

    def _note(self, side: exp.Expr, kind: str) -> None:
        if isinstance(side, exp.Column):
            use = self._use(side)
            if use is not None:
                use.add(kind, side.name)
            return
        columns = list(side.find_all(exp.Column))
        if len(columns) == 1 and side.find(exp.Select) is None:
            use = self._use(columns[0])
            if use is not None:
                self.functions.append((use.number, columns[0].name, side.sql(dialect=self._dialect)))

    def _read_keyset(self, either: exp.Or) -> None:
        if keyset_bound(either) is not None:
            self.keyset += dict.fromkeys(column.name for column in either.find_all(exp.Column, bfs=False))

    def _read_order(self, scope: exp.Expr) -> None:
        shown = {part.alias: part.unalias() for part in scope.args.get("expressions") or () if part.alias}
        order, group = scope.args.get("order"), scope.args.get("group")
        if order is not None:
            keys = [(shown.get(key.this.name, key.this), bool(key.args.get("desc"))) for key in order.expressions]
            owner = self._owner([key for key, _ in keys])
            if owner is not None:
                owner.order = tuple((key.name, desc) for key, desc in keys)
        if group is not None:
            owner = self._owner(group.expressions)
            if owner is not None:
                owner.group = tuple(key.name for key in group.expressions)

    def _owner(self, keys: list[exp.Expr]) -> _Use | None:
        """The one source of all these columns; none when there are two, or an expression is among them."""
        owners = [self._use(key) if isinstance(key, exp.Column) else None for key in keys]
        return owners[0] if owners and all(owner is owners[0] for owner in owners) else None

    def _slot(self, mark: exp.Placeholder) -> Slot:
        child: exp.Expr = mark
        node = mark.parent
        while node is not None and not isinstance(node, (*_SCOPES, exp.Subquery)):
            role = _role(node, child)
            if role == "list" and isinstance(mark.parent, exp.Tuple):
                role = "equal"  # a list of rows is tried with one row
            if role is not None:
                use, column = self._met(node, mark)
                pieces = _marks(node.expression) if role == "like" else [mark]
                return Slot(role, use, column, pieces.index(mark), len(pieces))
            child, node = node, node.parent
        return Slot("other")

    def _met(self, node: exp.Expr, mark: exp.Placeholder) -> tuple[int | None, str | None]:
        columns = [
            column
            for column in node.find_all(exp.Column)
            if column.find_ancestor(*_SCOPES) is mark.find_ancestor(*_SCOPES)
        ]
        row = mark.parent
        if isinstance(node.this, exp.Tuple) and isinstance(row, exp.Tuple):
            columns = [
                part for part in node.this.expressions[row.expressions.index(mark) :] if isinstance(part, exp.Column)
            ]
        if isinstance(node, exp.Match):
            scope = self._scopes.get(id(mark.find_ancestor(*_SCOPES)), [])
            named = [use for use in scope if use.table.lower() == node.this.name.lower()]
            if named:
                return named[0].number, next(iter(self._columns.get(named[0].table, ())), None)
        use = self._use(columns[0]) if columns else None
        return (None, None) if use is None else (use.number, columns[0].name)


def _conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _conjuncts(condition.this)
        yield from _conjuncts(condition.expression)
    else:
        yield condition


def keyset_bound(either: exp.Or) -> exp.Expr | None:
    """For ``a < ? OR a = ? AND b < ?``, a place in an order, the ``a <= ?`` that follows from it; else ``None``.

    An index can go straight to the bound, but not to two alternatives.
    """
    first, second = either.this.unnest(), either.expression.unnest()
    if not isinstance(first, _COMPARED) or not isinstance(second, exp.And) or not isinstance(first.this, exp.Column):
        return None
    tied, *_, beyond = _conjuncts(second)
    if not (isinstance(tied, exp.EQ) and isinstance(beyond, (*_COMPARED, exp.Or)) and tied.this == first.this):
        return None
    bound = exp.LTE if isinstance(first, (exp.LT, exp.LTE)) else exp.GTE
    return bound(this=first.this.copy(), expression=first.expression.copy())


def is_bounded(either: exp.Or, bound: exp.Expr) -> bool:
    """Whether a condition beside ``either`` has the form of ``bound`` already, whatever its value."""
    whole: exp.Expr = either
    while isinstance(whole.parent, (exp.Paren, exp.And)):
        whole = whole.parent
    return any(type(part) is type(bound) and part.this == bound.this for part in _conjuncts(whole))


def _marks(pattern: exp.Expr) -> list[exp.Placeholder]:
    """The placeholders of a pattern, from left to right."""
    return sorted(pattern.find_all(exp.Placeholder), key=lambda mark: number_of(mark.name))


def _role(node: exp.Expr, child: exp.Expr) -> Role | None:
    if isinstance(node, exp.Escape) and node.expression is child:
        return "escape"
    roles: tuple[tuple[Any, Role], ...] = (
        (exp.Limit, "limit"),
        (exp.Offset, "offset"),
        ((exp.Match, exp.MatchAgainst), "match"),
        (_LIKE, "like"),
        (exp.In, "list"),
        ((exp.Between, *_COMPARED), "range"),
        (_EQUAL, "equal"),
        (exp.NEQ, "other"),
    )
    return next((role for kind, role in roles if isinstance(node, kind)), None)
