"""The action that replays what is selected, and the page before it that says what will happen."""

from collections import Counter
from collections.abc import Collection, Sequence

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from .admin_bases import ReadOnlyAdmin
from .mending import PARKED
from .models import Delivery, State
from .problems import Unavailable
from .replay import in_order, left_as_they_are, replay

# A browser waits for all of them; more are the command's.
REPLAYED_AT_ONCE = 100

#: What a replay does to a record of a kind, or to a delivery in a state.
EXPLAINED = {
    PARKED: "stored if the parent has come. It would also be stored without a replay.",
    State.INVALID.value: "stays INVALID, unless the rule was changed here. Mend the record in Zoho, which "
    "sends it again.",
    State.ERROR.value: "stored if the cause was mended since.",
    Delivery.State.REJECTED.value: "as it is, it is refused again, unless a limit or rule was changed here.",
    Delivery.State.FAILED.value: "processed if what made it crash was mended since.",
    Delivery.State.RECEIVED.value: "processed now.",
}


class ReplayAdmin(ReadOnlyAdmin):
    """A list of which rows can be selected and their deliveries replayed."""

    # Subclass implementation

    def deliveries_of(self, selected: QuerySet) -> QuerySet[Delivery]:
        """The deliveries that are replayed for these rows."""
        raise NotImplementedError

    def what_is_selected(self, selected: QuerySet) -> list[str]:
        """For the page before: how many rows, in which states."""
        raise NotImplementedError

    def kinds_of(self, selected: QuerySet) -> Collection[str]:
        """The kinds of records and the states of deliveries among them, to be explained there."""
        raise NotImplementedError

    def before(self, selected: QuerySet) -> object:
        """What report() will need of the rows as they are now."""
        return None

    def report(self, before: object, deliveries: Sequence[Delivery]) -> tuple[str, bool]:
        """What became of them, in a sentence, and whether all is well now."""
        raise NotImplementedError

    # The machinery

    actions = ["replay_selected"]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("btec_sync.replay_delivery")

    @admin.action(description="Replay selected %(verbose_name_plural)s", permissions=["replay"])
    def replay_selected(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        deliveries = self.deliveries_of(queryset)
        number = deliveries.count()
        if not number:
            self.message_user(request, "Nothing is left to replay of what was selected.", messages.WARNING)
        elif number > REPLAYED_AT_ONCE:
            self.message_user(request, too_many(number), messages.ERROR)
        elif request.POST.get("post"):
            self._replay(request, queryset, in_order(deliveries))
        else:
            return self._confirmation(request, queryset)
        return None

    def _confirmation(self, request: HttpRequest, selected: QuerySet) -> HttpResponse:
        # Of all pages at once, Django wants one row to be named nevertheless.
        named = request.POST.getlist(ACTION_CHECKBOX_NAME) or [selected.values_list("pk", flat=True)[0]]
        kinds = self.kinds_of(selected)
        context = {
            **self.admin_site.each_context(request),
            "title": "Replay?",
            "opts": self.opts,
            "media": self.media,
            "summary": self.what_is_selected(selected),
            "explained": [(kind, said) for kind, said in EXPLAINED.items() if kind in kinds],
            "checkbox": ACTION_CHECKBOX_NAME,
            "named": named,
            "select_across": request.POST.get("select_across", "0"),
            "list": request.get_full_path(),
        }
        return TemplateResponse(request, "admin/btec_sync/replay_confirmation.html", context)

    def _replay(self, request: HttpRequest, selected: QuerySet, numbers: Sequence[int]) -> None:
        before = self.before(selected)
        touched = dict(Delivery.objects.filter(pk__in=numbers).values_list("pk", "processed_at"))
        replayed, busy, gone = [], 0, 0
        try:
            for delivery in replay(numbers):
                if delivery.body_removed_at:
                    gone += 1
                    continue
                if delivery.processed_at == touched[delivery.pk]:
                    busy += 1
                    continue
                replayed.append(delivery)
                self.log_change(request, delivery, f"Replayed: {delivery.state}.")
        except Unavailable as problem:
            self.message_user(request, f"Stopped. {problem.text}", messages.ERROR)
        if busy:
            self.message_user(request, f"{counted(busy, 'delivery', 'deliveries')} {LATER}", messages.WARNING)
        if gone:
            self.message_user(request, left_as_they_are(gone), messages.WARNING)
        if replayed:
            sentence, well = self.report(before, replayed)
            self.message_user(request, sentence, messages.SUCCESS if well else messages.WARNING)


LATER = "could not be replayed now, as others of the tenant were before it. Try again."


def too_many(number: int) -> str:
    return (
        f"At most {REPLAYED_AT_ONCE} deliveries are replayed here, and these are {number:,}. "
        "Select fewer; manage.py replay takes more."
    )


def counted(number: int, name: str, plural: str = "") -> str:
    return f"{number:,} {name if number == 1 else plural or f'{name}s'}"


def listed(counts: Counter[str]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in sorted(counts.items()) if n)
