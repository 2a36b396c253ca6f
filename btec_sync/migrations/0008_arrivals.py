"""A parent that comes is noted once, in place of a mark on each record that waits for it."""

import django.db.models.deletion
from django.db import migrations, models


def arrivals_of_ready_results(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        # Nobody may mark another while these are read.
        schema_editor.execute("LOCK TABLE btec_sync_recordresult IN ACCESS EXCLUSIVE MODE")
    results = apps.get_model("btec_sync", "RecordResult").objects.filter(current=True, ready=True)
    parents = results.order_by().values_list("tenant", "waits_for_module", "waits_for_id").distinct()
    arrival = apps.get_model("btec_sync", "Arrival")
    rows = (arrival(tenant_id=tenant, module=module, zoho_id=zoho_id) for tenant, module, zoho_id in parents)
    arrival.objects.bulk_create(rows, batch_size=1_000)


def ready_results_of_arrivals(apps, schema_editor):
    results = apps.get_model("btec_sync", "RecordResult").objects.filter(current=True)
    for arrival in apps.get_model("btec_sync", "Arrival").objects.iterator():
        results.filter(
            tenant=arrival.tenant_id, waits_for_module=arrival.module, waits_for_id=arrival.zoho_id
        ).update(ready=True)


class Migration(migrations.Migration):
    dependencies = [("btec_sync", "0007_newest_to_mend")]

    operations = [
        migrations.CreateModel(
            name="Arrival",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("module", models.CharField(max_length=32)),
                ("zoho_id", models.CharField(max_length=64, verbose_name="Zoho id")),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="btec_sync.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["id"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "module", "zoho_id"), name="arrival_record"),
                ],
            },
        ),
        migrations.RunPython(arrivals_of_ready_results, ready_results_of_arrivals),
        migrations.RemoveIndex(model_name="recordresult", name="recordresult_ready"),
        migrations.RemoveField(model_name="recordresult", name="ready"),
        migrations.RemoveIndex(model_name="recordresult", name="recordresult_parked"),
        migrations.AddIndex(
            model_name="recordresult",
            index=models.Index(
                condition=models.Q(("current", True), models.Q(("waits_for_id", ""), _negated=True)),
                fields=["tenant", "waits_for_module", "waits_for_id", "delivery", "position"],
                name="recordresult_parked",
            ),
        ),
    ]
