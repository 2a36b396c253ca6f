"""The OpenAPI document: each module's contract, read off its service, serializer and fields."""


class LazySchema:
    """A view's description, as DRF calls it; what makes it is imported when it is first asked for.

    DRF looks at every attribute of a viewset at the start of the service, and a schema class of the
    settings would be imported then.
    """

    def __get__(self, view, owner):
        if view is None:
            return self
        from .auto import SyncSchema

        schema = SyncSchema()
        schema.view = view
        return schema
