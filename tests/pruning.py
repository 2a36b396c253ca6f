"""What is stored made old, and manage.py prune."""

from datetime import timedelta
from io import StringIO

from django.core.management import call_command

from btec_sync.models import Delivery, IdempotencyKey


def prune(*arguments: str) -> str:
    output = StringIO()
    call_command("prune", *arguments, stdout=output)
    return output.getvalue()


def age(days: float) -> None:
    """Makes everything that is stored so much older."""
    for model, column in ((Delivery, "received_at"), (IdempotencyKey, "created_at")):
        for row in model.objects.all():
            setattr(row, column, getattr(row, column) - timedelta(days=days))
            row.save(update_fields=[column])


def removed(output: str) -> dict[str, int]:
    rows = [line.rsplit(None, 1) for line in output.splitlines() if line.startswith("  ")]
    return {name.strip(): int(number.replace(",", "")) for name, number in rows}
