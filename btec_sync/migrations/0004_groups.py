from django.db import migrations

from btec_sync import groups

# A module that is added later gives its own: docs/how-to-add-a-module.md.
SEEN = [
    "btec_sync.Delivery",
    "btec_sync.RecordResult",
    "btec_sync.RecordToMend",
    "reference.Student",
    "reference.Program",
    "units.Unit",
    "registrations.Registration",
    "payments.Payment",
    "grades.Grade",
]


class Migration(migrations.Migration):
    dependencies = [
        ("btec_sync", "0003_records_to_mend"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        # Backwards, what somebody may have changed meanwhile is left alone.
        migrations.RunPython(groups.make_groups, migrations.RunPython.noop),
        migrations.RunPython(groups.let_view(*SEEN), migrations.RunPython.noop),
        migrations.RunPython(groups.let_replay, migrations.RunPython.noop),
    ]
