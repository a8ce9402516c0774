"""The split: sticky, of the share that was asked for, and monotone in it."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from serving.router.split import is_canarys, place
from tests.serving.world import ROOT

MODELS = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
TENANTS = st.integers(1, 2**31 - 1)
SYMBOLS = st.text(min_size=1, max_size=30)
SHARES = st.floats(0, 1)


@given(MODELS, TENANTS, SYMBOLS)
def test_none_at_0_and_all_at_1(model: str, tenant: int, symbol: str) -> None:
    assert 0 <= place(model, tenant, symbol) < 1
    assert not is_canarys(model, tenant, symbol, 0.0)
    assert is_canarys(model, tenant, symbol, 1.0)


@given(MODELS, TENANTS, SYMBOLS, SHARES, SHARES)
def test_a_larger_share_keeps_those_of_a_smaller_one(
    model: str, tenant: int, symbol: str, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    assert is_canarys(model, tenant, symbol, less) <= is_canarys(model, tenant, symbol, more)


@given(st.floats(0.01, 0.99), MODELS, st.integers(1, 1000))
def test_the_share_of_series_is_the_share(share: float, model: str, tenant: int) -> None:
    series = 4000
    taken = sum(is_canarys(model, tenant, f"SYN_{n}", share) for n in range(series))
    # 6 standard deviations: what is asked a hundred times may not fail by chance
    assert abs(taken / series - share) < 6 * (share * (1 - share) / series) ** 0.5


def test_another_process_says_the_same() -> None:
    series = [("direction_5m", tenant, f"SYN_{n}") for tenant in (1, 7) for n in range(20)]
    program = f"from serving.router.split import place\nprint([place(*one) for one in {series!r}])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([place(*one) for one in series])


def test_it_never_changes() -> None:
    """As it was in the first release: or else every canary's series would be others'."""
    assert place("direction_5m", 1, "SYN_ES") == 0.22101339855754487
    assert place("direction_5m", 2, "SYN_ES") == 0.8188306386639119
    assert place("another", 1, "SYN_ES") == 0.2483518572508896


def test_models_and_tenants_split_by_themselves() -> None:
    names = [f"SYN_{n}" for n in range(1000)]
    both = sum(is_canarys("a", 1, n, 0.5) and is_canarys("b", 1, n, 0.5) for n in names)
    assert 180 < both < 320
    both = sum(is_canarys("a", 1, n, 0.5) and is_canarys("a", 2, n, 0.5) for n in names)
    assert 180 < both < 320
