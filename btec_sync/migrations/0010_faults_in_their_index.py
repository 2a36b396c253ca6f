"""The index that refused records are counted in holds what is wrong with them, too: no row is read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("btec_sync", "0009_cut_faults")]

    operations = [
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
