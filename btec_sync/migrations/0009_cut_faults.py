"""What is wrong with a record, as its lists filter by it, has the length that the next migration's index takes.

Two transactions, as an index that is made in this one would still take in the texts that were cut.
"""

from django.db import migrations
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

    operations = [migrations.RunPython(cut_faults, migrations.RunPython.noop)]
