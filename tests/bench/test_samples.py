from __future__ import annotations

import threading

import pytest

from bench.samples import Figures, Round, percentile, run_clients


@pytest.mark.parametrize(
    ("percent", "value"), [(1, 1.0), (50, 2.0), (51, 3.0), (75, 3.0), (99, 4.0), (100, 4.0)]
)
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(percent: float, value: float) -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], percent) == value


def test_figures_take_the_median_rate_and_the_latencies_of_all_rounds() -> None:
    rounds = [Round(1.0, (1.0, 2.0)), Round(1.0, (9.0,)), Round(0.5, (3.0, 4.0, 5.0))]
    figures = Figures.of(rounds)
    assert figures == Figures(rate=2.0, p50_ms=3.0, p99_ms=9.0, slowest_ms=9.0)


def test_each_client_acts_at_least_as_often_as_asked_when_there_is_no_time() -> None:
    acts: list[tuple[int, int]] = []
    seen = run_clients(3, 0.0, lambda client, turn: acts.append((client, turn)), at_least=2)
    assert sorted(acts) == [(client, turn) for client in range(3) for turn in range(2)]
    assert len(seen.latencies_ms) == 6


def test_clients_act_at_the_same_time() -> None:
    together = threading.Barrier(4, timeout=10.0)

    def meet(client: int, turn: int) -> None:
        together.wait()

    assert len(run_clients(4, 0.0, meet).latencies_ms) == 4


def test_the_trouble_of_a_client_is_the_trouble_of_the_round() -> None:
    def fail(client: int, turn: int) -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        run_clients(2, 0.0, fail)
