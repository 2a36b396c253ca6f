from collections import defaultdict

from django.db import migrations, models

BATCH = 1_000


def fill_faults(apps, schema_editor):
    """What is written since with each result (btec_sync/faults.py), for the results that are there."""
    results = apps.get_model("btec_sync", "RecordResult").objects.using(schema_editor.connection.alias)
    # Their numbers first, as no index leads to them.
    refused = list(results.filter(state="INVALID").order_by("pk").values_list("pk", flat=True))
    for first in range(0, len(refused), BATCH):
        alike = defaultdict(list)
        batch = results.filter(pk__in=refused[first : first + BATCH])
        for number, errors in batch.values_list("pk", "errors"):
            alike[faults_of(errors)].append(number)
        for faults, numbers in alike.items():
            results.filter(pk__in=numbers).update(faults=faults)


def faults_of(errors):
    lines = dict.fromkeys(
        f"{' '.join(error['field'].split()) or '(record)'}\t{error['code']}\n" for error in errors
    )
    return "\n" + "".join(lines) if lines else ""


class Migration(migrations.Migration):
    dependencies = [
        ("btec_sync", "0002_figures"),
    ]

    operations = [
        migrations.CreateModel(
            name="RecordToMend",
            fields=[],
            options={
                "verbose_name": "record to mend",
                "verbose_name_plural": "records to mend",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("btec_sync.recordresult",),
        ),
        migrations.AddField(
            model_name="recordresult",
            name="faults",
            field=models.TextField(blank=True, default="", editable=False),
        ),
        migrations.RunPython(fill_faults, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="recordresult",
            index=models.Index(
                condition=models.Q(("current", True), ("state__in", ["INVALID", "ERROR"])),
                fields=["tenant", "module", "zoho_id", "delivery", "position"],
                name="recordresult_unsettled",
            ),
        ),
    ]
