"""What Django's own constraints do not know: a foreign key that includes the tenant, and a page's room."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.ddl_references import Statement, Table


class SameTenant(models.BaseConstraint):
    """(tenant_id, <field>_id) references (tenant_id, id) of `table`, checked at every statement
    (docs/adr/0008-composite-foreign-keys.md).

    The database itself refuses a reference into another tenant. It stands beside a
    `ForeignKey(db_constraint=False)`, whose own constraint would be deferred to COMMIT: too late to
    answer ERROR for one record. `table` is a literal name, so that a migration needs no model of
    another app; its unique (tenant, id) must be there first.
    """

    def __init__(self, *, field: str, table: str, name: str) -> None:
        super().__init__(name=name)
        self.field = field
        self.table = table

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> str:
        quote = schema_editor.quote_name
        column = model._meta.get_field(self.field).column
        return (
            f"CONSTRAINT {quote(self.name)} FOREIGN KEY ({quote('tenant_id')}, {quote(column)}) "
            f"REFERENCES {quote(self.table)} ({quote('tenant_id')}, {quote('id')}) NOT DEFERRABLE"
        )

    def create_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Statement:
        return Statement(
            "ALTER TABLE %(table)s ADD %(constraint)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            constraint=self.constraint_sql(model, schema_editor),
        )

    def remove_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> Statement:
        return Statement(
            "ALTER TABLE %(table)s DROP CONSTRAINT %(name)s",
            table=Table(model._meta.db_table, schema_editor.quote_name),
            name=schema_editor.quote_name(self.name),
        )

    def validate(
        self, model: type[models.Model], instance: models.Model, exclude: Any = None, using: str = "default"
    ) -> None:
        """Raises ValidationError where a form would store what the database refuses."""
        parent = getattr(instance, self.field)
        if parent is not None and parent.tenant_id != instance.tenant_id:
            raise ValidationError(self.get_violation_error_message())

    def deconstruct(self) -> tuple[str, tuple, dict[str, Any]]:
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "field": self.field, "table": self.table}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SameTenant):
            return NotImplemented
        return (self.field, self.table, self.name) == (other.field, other.table, other.name)

    __hash__ = None


class HalfFull(models.BaseConstraint):
    """PostgreSQL fills the table's pages by half only (docs/performance.md).

    A reconciliation touches every row of a page, and the other half takes their new versions: no index is
    written then. It stands among the constraints so that makemigrations gives it to every module.
    """

    def constraint_sql(self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor) -> None:
        if statement := self.create_sql(model, schema_editor):
            schema_editor.deferred_sql.append(statement)

    def create_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor
    ) -> Statement | None:
        return _alter(model, schema_editor, "SET (fillfactor = 50)")

    def remove_sql(
        self, model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor
    ) -> Statement | None:
        return _alter(model, schema_editor, "RESET (fillfactor)")

    def validate(self, model: type[models.Model], instance: models.Model, **options: Any) -> None:
        """Nothing that a row could violate."""

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, HalfFull) else NotImplemented

    __hash__ = None


def _alter(
    model: type[models.Model], schema_editor: BaseDatabaseSchemaEditor, change: str
) -> Statement | None:
    if schema_editor.connection.vendor != "postgresql":
        return None
    table = Table(model._meta.db_table, schema_editor.quote_name)
    return Statement(f"ALTER TABLE %(table)s {change}", table=table)
