"""Both Django references' addresses."""

from django.urls import path

from .views import Bare, Payments

urlpatterns = [path("healthz", Payments.as_view()), path("v1/sync/payments", Payments.as_view())]
urlpatterns += [path("bare", Bare.as_view())]
