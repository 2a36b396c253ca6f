"""The index that refused records are counted in holds what is wrong with them, too: no row is read."""

from django.db import migrations, models
from django.db.models.functions import Length

# As btec_sync/faults.py was then. A character takes up to four bytes.
LONGEST = 2_500


def cut_faults(apps, schema_editor):
    results = apps.get_model("btec_sync", "RecordResult").objects.using(schema_editor.connection.alias)
    long = results.annotate(length=Length("faults")).filter(length__gt=LONGEST // 4)
    for number, text in long.values_list("pk", "faults").iterator():
        encoded = text.encode()
        if len(encoded) > LONGEST:
            kept = encoded[: encoded.rindex(b"\n", 0, LONGEST) + 1].decode()
            results.filter(pk=number).update(faults=kept)


class Migration(migrations.Migration):
    dependencies = [("btec_sync", "0008_arrivals")]

    operations = [
        migrations.RunPython(cut_faults, migrations.RunPython.noop),
        migrations.RemoveIndex(model_name="recordresult", name="recordresult_refused"),
        migrations.AddIndex(
            model_name="recordresult",
            index=models.Index(
                condition=models.Q(
                    ("current", True), ("state__in", ["INVALID", "ERROR"]), ("waits_for_id", "")
                ),
                fields=["tenant", "state", "module", "delivery"],
                include=["faults"],
                name="recordresult_refused",
            ),
        ),
    ]
