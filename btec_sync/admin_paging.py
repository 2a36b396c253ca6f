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


class BoundedPaginator(Paginator):
    """The pages of a queryset's first rows; whoever looks for others filters or searches."""

    most_rows = 10_000

    @cached_property
    def count(self) -> int:
        return min(self._found, self.most_rows)

    @property
    def has_more(self) -> bool:
        return self._found > self.most_rows

    @cached_property
    def _found(self) -> int:
        return self.object_list.order_by().values("pk")[: self.most_rows + 1].count()


class WorkPaginator(BoundedPaginator):
    """Of Records to mend, where each row is held against what came later."""

    most_rows = 2_000
