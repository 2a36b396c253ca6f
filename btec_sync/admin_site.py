"""The admin as a whole: its titles, and the order of what it lists."""

from django.contrib import admin
from django.contrib.auth import get_user_model

from .models import Delivery, RecordResult, RecordToMend
from .services import services


class SyncAdminSite(admin.AdminSite):
    """Begins with what staff look at each morning; who may log in and who failed to stand at the end."""

    site_title = site_header = "BTEC sync"
    index_title = "Records and deliveries"
    index_template = "btec_sync/index.html"  # begins with the sync's health
    site_url = None  # there is nothing else to look at

    def get_app_list(self, request, app_label=None):
        modules = [service.model for service in services().values()]
        places = {
            model: place
            for place, model in enumerate([RecordToMend, Delivery, RecordResult, *modules, get_user_model()])
        }

        def place(listed: dict) -> int:
            return places.get(listed["model"], len(places))

        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=place)
        return sorted(apps, key=lambda app: place(app["models"][0]))
