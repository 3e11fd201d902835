import pytest
from django.http import HttpResponse

from kalas.lib.after_answer import after_answer, attach, collect


# A closed response closes old connections.
@pytest.mark.django_db
def test_what_nobody_waits_for_comes_when_the_answer_was_sent():
    done: list[int] = []
    with collect() as later:
        after_answer(lambda: done.append(1))
        after_answer(lambda: done.append(1 // 0))
        after_answer(lambda: done.append(2))
    response = HttpResponse()
    attach(later, response)
    before = list(done)

    response.close()

    assert (before, done) == ([], [1, 2])


def test_without_a_request_and_without_an_answer_it_is_done_at_once():
    done: list[int] = []

    after_answer(lambda: done.append(1))
    with pytest.raises(ZeroDivisionError):
        fail_after(lambda: done.append(2))
    after_answer(lambda: done.append(3))

    assert done == [1, 2, 3]


def fail_after(work):
    with collect():
        after_answer(work)
        raise ZeroDivisionError
