from collections import defaultdict

from django.db import migrations, models

BATCH = 1_000


def fill_faults(apps, schema_editor):
    """What is written since with each result (btec_sync/faults.py), for the results that are there."""
    results = apps.get_model("btec_sync", "RecordResult").objects.using(schema_editor.connection.alias)
    refused = results.filter(state="INVALID", faults="").only("pk", "errors").order_by("pk")
    last = 0
    while batch := list(refused.filter(pk__gt=last)[:BATCH]):
        alike = defaultdict(list)
        for result in batch:
            alike[faults_of(result.errors)].append(result.pk)
        for faults, numbers in alike.items():
            results.filter(pk__in=numbers).update(faults=faults)
        last = batch[-1].pk


def faults_of(errors):
    lines = dict.fromkeys(
        f"{' '.join(error['field'].split()) or '(record)'}\t{error['code']}\n" for error in errors
    )
    return "\n" + "".join(lines) if lines else ""


class Migration(migrations.Migration):
    dependencies = [
        ("btec_sync", "0001_initial"),
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
