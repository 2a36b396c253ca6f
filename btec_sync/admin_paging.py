"""The pages of the admin's lists: counted to some thousand rows, so that no list waits for a million."""

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
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
        # Where all fit on one page, Django would look for them once more.
        if self.query and not self.multi_page:
            self.result_list = self.paginator.page(1).object_list


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
        numbers = self._numbers if self.is_search else self.object_list.values_list("pk", flat=True)
        shown = list(numbers[(number - 1) * self.per_page : last])
        return self._get_page(self.object_list.filter(pk__in=shown), number, self)

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
