"""The OpenAPI document: each module's contract, read off its service, serializer and fields."""
