"""The pages of the admin's lists: counted to some thousand rows, so that no list waits for a million."""

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property


class CountedList(ChangeList):
    """A list that offers to show all only where it does not."""

    def page_numbers(self):
        return self.paginator.get_elided_page_range(self.page_num)

    def get_results(self, request):
        super().get_results(request)
        # Django compares these two, and does not count the second where a list may be long.
        if not self.query and not self.get_filters_params():
            self.full_result_count = self.result_count
        # Django would look for them once more.
        all_shown = not self.multi_page or (self.show_all and self.can_show_all)
        if self.query and all_shown:
            self.result_list = self.paginator.rows(0, self.result_count)


class BoundedPaginator(Paginator):
    """The pages of a queryset's first rows; whoever looks for others filters or searches."""

    most_rows = 10_000
    #: A search in parts of texts reads every row: it is made once, for the number and for the page.
    is_search = False

    @cached_property
    def count(self) -> int:
        return min(self._found, self.most_rows)

    @property
    def has_more(self) -> bool:
        return self._found > self.most_rows

    def page(self, number):
        """A page past the first is found by itself too: to join the parents of all before it takes longer."""
        number = self.validate_number(number)
        if number == 1 and not self.is_search:
            return super().page(number)
        last = min(number * self.per_page, self.count)
        return self._get_page(self.rows((number - 1) * self.per_page, last), number, self)

    def rows(self, first: int, last: int) -> QuerySet:
        """The rows from the first to before the last, their numbers found before anything is joined."""
        numbers = self._numbers if self.is_search else self.object_list.values_list("pk", flat=True)
        return self.object_list.filter(pk__in=list(numbers[first:last]))

    @cached_property
    def _found(self) -> int:
        if self.is_search:
            return len(self._numbers)
        return self.object_list.order_by().values("pk")[: self.most_rows + 1].count()

    @cached_property
    def _numbers(self) -> list[int]:
        """The rows that were found, in their order."""
        return list(self.object_list.values_list("pk", flat=True)[: self.most_rows + 1])


class WorkPaginator(BoundedPaginator):
    """Of Records to mend, where each row is held against what came later."""

    most_rows = 2_000
