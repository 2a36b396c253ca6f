"""The sync's health on the admin's front page."""

from typing import Any

from django import template

from btec_sync.admin_health import front_page

register = template.Library()


@register.inclusion_tag("btec_sync/front_page.html", takes_context=True)
def sync_health(context: template.RequestContext) -> dict[str, Any]:
    return {"health": front_page(context["request"])}
