"""Which site django.contrib.admin serves."""

from django.contrib.admin.apps import AdminConfig


class SyncAdminConfig(AdminConfig):
    default_site = "btec_sync.admin_site.SyncAdminSite"
