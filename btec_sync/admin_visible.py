"""What a user of the admin may see: the tenants, and whether figures and timelines."""

from django.db.models import QuerySet
from django.http import HttpRequest

from .models import Tenant


def visible_tenants(request: HttpRequest) -> QuerySet[Tenant]:
    """All of them for superusers; for staff those that they are members of."""
    return Tenant.objects.all() if request.user.is_superuser else Tenant.objects.filter(members=request.user)


def may_see_deliveries(request: HttpRequest) -> bool:
    """Whether figures and timelines are for this user: both tell of deliveries and of results."""
    return request.user.has_perms(["btec_sync.view_delivery", "btec_sync.view_recordresult"])


def visible_numbers(request: HttpRequest) -> list[int]:
    """Their primary keys, asked for once in a request: by a list, PostgreSQL can follow an index's order."""
    if not hasattr(request, "visible_numbers"):
        request.visible_numbers = list(visible_tenants(request).order_by().values_list("pk", flat=True))
    return request.visible_numbers
