"""An index in the order of Records to mend: a page of fifty reads fifty, whatever there is to mend."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("btec_sync", "0006_lz4_bodies")]

    operations = [
        migrations.AddIndex(
            model_name="recordresult",
            index=models.Index(
                condition=models.Q(("current", True), ("state__in", ["INVALID", "ERROR"])),
                fields=["-delivery", "position", "-id", "tenant"],
                name="recordresult_newest",
            ),
        ),
    ]
