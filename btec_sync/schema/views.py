"""The OpenAPI document: /v1/schema for tools, /v1/docs for people."""

from functools import cache

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

MEDIA_TYPES = {
    "application/json": "json",
    "application/vnd.oai.openapi+json": "json",
    "application/yaml": "yaml",
    "application/vnd.oai.openapi": "yaml",
}


@require_safe
@vary_on_headers("Accept")
def schema(request: HttpRequest) -> HttpResponse:
    """The document as JSON, or as YAML where `?format=yaml` or the Accept header asks for it."""
    form = request.GET.get("format")
    if form not in MEDIA_TYPES.values():
        form = MEDIA_TYPES.get(request.get_preferred_type(list(MEDIA_TYPES)), "json")
    return HttpResponse(document(form), content_type=f"application/{form}")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI, all of it from here: drf-spectacular-sidecar brings its files."""
    return render(request, "btec_sync/docs.html")


@cache
def document(form: str) -> bytes:
    """The document as "json" or "yaml". It depends on nothing that changes while the service runs."""
    # Not at the top: a service that nobody asks for its document starts without what makes it.
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiYamlRenderer

    renderer = OpenApiYamlRenderer() if form == "yaml" else OpenApiJsonRenderer()
    return renderer.render(SchemaGenerator().get_schema(public=True), "application/json; indent=1")
