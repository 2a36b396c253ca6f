"""The groups that staff are put into, and what each may do. Of which tenants is another question.

Permissions are given once, by a migration: here for the modules of that day, in a new module for its own.
What a superuser takes from a group or gives to it later stays so.
"""

from collections.abc import Callable, Iterable

from django.apps import apps as installed

#: Reads the records, the deliveries, the results and the records to mend.
REGISTRAR = "Registrar"
#: Reads the same, and replays.
OPERATOR = "Operator"


def make_groups(apps, schema_editor) -> None:
    for name in (REGISTRAR, OPERATOR):
        apps.get_model("auth", "Group").objects.get_or_create(name=name)


def let_view(*models: str) -> Callable:
    """For RunPython: both groups may look at these models, each named as "attendance.Attendance"."""

    def give(apps, schema_editor) -> None:
        for label in models:
            app_label, name = label.lower().split(".")
            _give(apps, [REGISTRAR, OPERATOR], app_label, name, f"view_{name}", f"Can view {_called(label)}")

    return give


def let_replay(apps, schema_editor) -> None:
    _give(apps, [OPERATOR], "btec_sync", "delivery", "replay_delivery", "Can replay deliveries")


def _called(label: str) -> str:
    """The model's name as Django would put it into the permission's."""
    try:
        return str(installed.get_model(label)._meta.verbose_name_raw)
    except LookupError:
        return label.lower().split(".")[1]


def _give(apps, groups: Iterable[str], app_label: str, model: str, codename: str, name: str) -> None:
    """Django makes permissions after all migrations, and leaves those that are there. A group that a
    superuser has deleted since stays deleted."""
    content_type, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label=app_label, model=model
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=content_type, codename=codename, defaults={"name": name}
    )
    for group in apps.get_model("auth", "Group").objects.filter(name__in=groups):
        group.permissions.add(permission)
