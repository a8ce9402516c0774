"""What feature.compile() refuses; tests/models/test_compile.py has the same as a user meets it."""

import psycopg
import pytest

from tests.pit.conftest import Scene


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "select s.* from staging.stg_bar as s inner join market.tenant as t using (tenant_id)",
            r"market\.tenant has a column tenant_id",
        ),
        ("select * from feature.stg_bar", r"stg_bar has the name of another relation"),
        ("select * from staging.stg_bar where 1 / (1 - 1) = 1", "division by zero"),
        ("select * from feature.bar_table", r"feature\.bar_table is no view"),
        (
            "select * from staging.stg_bar where bucket < clock_timestamp()",
            r"int_bar__closed reads the clock: use now",
        ),
        ("select * from feature.bar_copy", r"feature\.bar_copy is no view"),
    ],
    ids=["tenant_id", "same name", "fails over no rows", "table", "clock", "materialized view"],
)
def test_what_a_model_may_not_read_is_refused(scene: Scene, source: str, said: str) -> None:
    connection = scene.world.connection
    columns = "tenant_id, symbol, bucket, open, high, low, close, volume, notional"
    with connection.transaction(force_rollback=True):
        for statement in (
            "create view feature.stg_bar as select * from staging.stg_bar",
            "create table feature.bar_table as select * from staging.stg_bar",
            "create materialized view feature.bar_copy as select * from staging.stg_bar",
            "create or replace view intermediate.int_bar__closed as"
            f" select {columns} from ({source}) as bar",
        ):
            connection.execute(statement.encode())
        with pytest.raises(psycopg.Error, match=said):
            connection.execute("call feature.compile()")
