"""Many rows in one statement (docs/adr/0010-one-statement-for-a-batch.md).

The ORM writes a batch as well, but spends three times the database's own time on it: an instance and a
dozen conversions for each row, and a parameter for each value. Here a column is one parameter, an array.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache
from json import JSONEncoder
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models.expressions import RawSQL

from .statements import Rows, Statement, execute_bound

Columns = Mapping[str, Sequence[Any]]


def insert(
    model: type[models.Model],
    columns: Columns,
    alike: Mapping[str, Any],
    *,
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> Statement:
    """What inserts rows. Those that are there by `unique` get the fields of `update`, or stay as they are.

    `columns` are the rows' values by the names of the model's fields, `alike` those that all rows share.
    """
    if connection.vendor == "postgresql":
        columns, alike = _parted(columns, alike)
        parameters = [*_constants(model, alike), *_arrays(model, columns)]
    else:
        parameters = _rows(
            model, {**{name: [value] * _length(columns) for name, value in alike.items()}, **columns}
        )
    return _insert_sql(model, tuple(alike), tuple(columns), tuple(unique), tuple(update)), parameters


def _parted(columns: Columns, alike: Mapping[str, Any]) -> tuple[Columns, Mapping[str, Any]]:
    """The columns that differ from row to row, and all else: most of a batch's results."""
    different = {name: values for name, values in columns.items() if values.count(values[0]) < len(values)}
    if not different:
        return columns, alike
    same = {name: values[0] for name, values in columns.items() if name not in different}
    return different, {**alike, **same}


@lru_cache(maxsize=512)
def _insert_sql(
    model: type[models.Model],
    alike: tuple[str, ...],
    columns: tuple[str, ...],
    unique: tuple[str, ...],
    update: tuple[str, ...],
) -> str:
    names = [_column(model, name) for name in alike + columns]
    sql = f"INSERT INTO {_table(model)} ({', '.join(names)})"
    if connection.vendor == "postgresql":
        constants = "".join(f"%s::{_type(model, name)}, " for name in alike)
        sql = f"{sql} SELECT {constants}u.* FROM {_unnest(model, columns)} AS u"
    else:
        sql = f"{sql} VALUES ({', '.join(['%s'] * len(names))})"
    if unique:
        conflict = ", ".join(_column(model, name) for name in unique)
        changes = ", ".join(f"{_column(model, name)} = excluded.{_column(model, name)}" for name in update)
        sql = f"{sql} ON CONFLICT ({conflict}) DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
    return sql


def update(model: type[models.Model], keys: Sequence[int], columns: Columns) -> Statement:
    """What updates the rows of these primary keys."""
    key = model._meta.pk.name
    if connection.vendor == "postgresql":
        parameters = _arrays(model, {key: keys, **columns})
    else:
        parameters = _rows(model, {**columns, key: keys})
    return _update_sql(model, tuple(columns)), parameters


@cache
def _update_sql(model: type[models.Model], columns: tuple[str, ...]) -> str:
    key = _column(model, model._meta.pk.name)
    names = [_column(model, name) for name in columns]
    sql = f"UPDATE {_table(model)} SET"
    if connection.vendor != "postgresql":
        return f"{sql} {', '.join(f'{name} = %s' for name in names)} WHERE {key} = %s"
    changes = ", ".join(f"{name} = u.{name}" for name in names)
    unnest = _unnest(model, (model._meta.pk.name, *columns))
    return (
        f"{sql} {changes} FROM {unnest} AS u ({', '.join([key, *names])})"
        f" WHERE {_table(model)}.{key} = u.{key}"
    )


M = TypeVar("M", bound=models.Model)


def create(instance: M) -> M:
    """Inserts a row of its own for the instance, which gets the primary key: save() in half the time."""
    model = type(instance)
    [(instance.pk,)] = execute_bound((_create_sql(model), _values(instance, _own_fields(model))))
    instance._state.adding = False
    return instance


@cache
def _create_sql(model: type[models.Model]) -> str:
    names = [field.name for field in _own_fields(model)]
    columns = ", ".join(_column(model, name) for name in names)
    key = _column(model, model._meta.pk.name)
    return (
        f"INSERT INTO {_table(model)} ({columns}) VALUES ({', '.join(['%s'] * len(names))}) RETURNING {key}"
    )


def save(instance: models.Model, names: Sequence[str]) -> Statement:
    """What writes these fields of the instance: save(update_fields=…) in half the time."""
    model = type(instance)
    fields = [model._meta.get_field(name) for name in names]
    return _save_sql(model, tuple(names)), [*_values(instance, fields), instance.pk]


@cache
def _save_sql(model: type[models.Model], names: tuple[str, ...]) -> str:
    changes = ", ".join(f"{_column(model, name)} = %s" for name in names)
    return f"UPDATE {_table(model)} SET {changes} WHERE {_column(model, model._meta.pk.name)} = %s"


@cache
def _own_fields(model: type[models.Model]) -> list[models.Field]:
    return [field for field in model._meta.concrete_fields if not field.primary_key]


def _values(instance: models.Model, fields: Sequence[models.Field]) -> list[Any]:
    values = [getattr(instance, field.attname) for field in fields]
    return [
        prepare(value, connection) if (prepare := _prepare(field, connection.vendor)) else value
        for field, value in zip(fields, values, strict=True)
    ]


@cache
def _prepare(field: models.Field, vendor: str) -> Callable[[Any, Any], Any] | None:
    """What makes of a field's value one that the database takes; None where it takes it as it is."""
    plain = PLAIN + (PLAIN_FOR_POSTGRESQL if vendor == "postgresql" else ())
    return None if isinstance(field, plain) else field.get_db_prep_save


# Fields whose values go as they are. Django asks each of them, at length, for each value.
PLAIN = (models.CharField, models.TextField, models.IntegerField, models.BooleanField, models.ForeignKey)
PLAIN_FOR_POSTGRESQL = (models.DateTimeField, models.UUIDField)


def one_of(values: Sequence[str] | Sequence[int], parameter: Any = None) -> RawSQL | Sequence:
    """What `field__in=` takes for many values: one parameter of the statement, and not one for each.

    The parameter is their array, unless something else stands for it.
    """
    if connection.vendor != "postgresql":
        return values
    kind = "bigint" if values and isinstance(next(iter(values)), int) else "text"
    return RawSQL(f"SELECT unnest(%s::{kind}[])", [parameter or array(values)])


# --- PostgreSQL: a column is the text of an array -----------------------------------------------------


def array(values: Sequence[Any]) -> str:
    """PostgreSQL's text of an array. psycopg makes it too, several times slower.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    kinds = set(map(type, values))
    if kinds == {int}:
        return f"{{{','.join(map(str, values))}}}"
    if kinds == {str}:
        text = '","'.join(values)
        if "\\" not in text and text.count('"') == 2 * (len(values) - 1):
            return f'{{"{text}"}}'
    return f"{{{','.join([_element(value) for value in values])}}}"


def _element(value: Any) -> str:
    if type(value) is str:
        if "\\" in value or '"' in value:
            value = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{value}"'
    if value is None:
        return "NULL"
    return f'"{value.isoformat()}"' if isinstance(value, date) else str(value)


def _arrays(model: type[models.Model], columns: Columns) -> list[str]:
    arrays = []
    for name, values in columns.items():
        encode = _json_encoder(model, name)
        arrays.append(array([encode(value) for value in values] if encode else values))
    return arrays


def _constants(model: type[models.Model], alike: Mapping[str, Any]) -> list[Any]:
    encoders = {name: _json_encoder(model, name) for name in alike}
    return [encoders[name](value) if encoders[name] else value for name, value in alike.items()]


def _unnest(model: type[models.Model], columns: Sequence[str]) -> str:
    return f"unnest({', '.join(f'%s::{_type(model, name)}[]' for name in columns)})"


def _type(model: type[models.Model], name: str) -> str:
    """The field's type without its length: an explicit varchar(64) would cut a long text, not refuse it."""
    return model._meta.get_field(name).db_type(connection).partition("(")[0]


@cache
def _json_encoder(model: type[models.Model], name: str) -> Callable[[Any], str] | None:
    """What makes the text of a JSON field's value; None for other fields."""
    field = model._meta.get_field(name)
    return (field.encoder or JSONEncoder)().encode if isinstance(field, models.JSONField) else None


# --- SQLite: a row after the other, of one prepared statement -----------------------------------------


def _rows(model: type[models.Model], columns: Columns) -> Rows:
    prepared = []
    for name, values in columns.items():
        prepare = _prepare(model._meta.get_field(name), connection.vendor)
        prepared.append([prepare(value, connection) for value in values] if prepare else values)
    return Rows(zip(*prepared, strict=True))


# --- Both ---------------------------------------------------------------------------------------------


def _length(columns: Columns) -> int:
    return len(next(iter(columns.values())))


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _column(model: type[models.Model], name: str) -> str:
    return connection.ops.quote_name(model._meta.get_field(name).column)
