"""Work is done in the order of what it needs, as many at a time as there are workers, whatever fails."""

from __future__ import annotations

import threading

from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlib.run.schedule import run_all


@st.composite
def graphs(draw) -> tuple[list[list[int]], set[int]]:
    """For each piece of work those before it that it needs, and which fail."""
    count = draw(st.integers(1, 9))
    needs = [draw(st.lists(st.sampled_from(range(i)), unique=True)) if i else [] for i in range(count)]
    return needs, draw(st.sets(st.integers(0, count - 1)))


@settings(deadline=None, max_examples=60)
@given(graphs(), st.integers(1, 4))
def test_each_is_done_once_after_what_it_needs_and_left_out_after_a_failure(graph, workers):
    needs, failing = graph
    done, at_work, most, lock = [], set(), [0], threading.Lock()

    def function(i: int):
        def call() -> None:
            with lock:
                at_work.add(i)
                most[0] = max(most[0], len(at_work))
                assert all(name in done for name in needs[i])
            if i in failing:
                with lock:
                    at_work.discard(i)
                raise OSError(i)
            with lock:
                at_work.discard(i)
                done.append(i)

        return call

    ended = run_all({str(i): (function(i), list(map(str, needs[i]))) for i in range(len(needs))}, workers)
    lost: set[int] = set()
    for i, before in enumerate(needs):
        if lost.intersection(before) or failing.intersection(before):
            lost.add(i)
    assert {int(name) for name in ended} == set(range(len(needs))) - lost
    assert {int(name) for name, error in ended.items() if error} == failing - lost
    assert sorted(done) == sorted(set(range(len(needs))) - lost - failing)
    assert most[0] <= workers


def test_of_what_is_ready_the_first_in_the_list_goes_first():
    order = []
    names = ["long", "page", "short", "report"]
    needs = {"page": ["long"], "report": ["long", "short"]}
    run_all({name: (lambda name=name: order.append(name), needs.get(name, [])) for name in names}, 1)
    assert order == names
    assert run_all({}, 2) == {}
