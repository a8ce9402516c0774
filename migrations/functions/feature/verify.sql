-- depends: functions/feature/verify_answer
create or replace function feature.verify(
    p_receipt text, p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null,
    p_elsewhere boolean default false
) returns table (
    is_equal boolean, said text, place bigint, symbol text, as_of timestamptz, field text,
    moved text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select v.*
    from feature.verify_answer(
        'public', p_receipt, p_symbols, p_as_of, p_known_as_of, p_tenant_id, p_elsewhere
    ) as v
$$;
revoke all on function feature.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) from public;
grant execute on function feature.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) to market_reader;
comment on function feature.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) is
'Whether the answer that p_receipt (feature.receipt()) stands for is still given. p_symbols, '
'p_as_of: the question, as it was asked; p_known_as_of: where each pair had one of its own, else '
'left out: the receipt says it; p_elsewhere: true to ask a database that it is not of. One row: '
'is_equal; said, the same in words; of what differs place (from 1), symbol and as_of of the row, '
'where one row differs, and NULL where several do; field, each whose values differ; moved, what '
'it depends on that is no more as it was: definition, contract, reference data, or, where none of '
'these is, versions of the log. '
'Errors: 22023 for a receipt that is damaged, of another database or question, or of a publish '
'that this database has not had; 42704 for a set that is not here; else as of the snapshot.';

create or replace function feature.verify(
    p_receipt text, p_symbols text[], p_as_of timestamptz, p_tenant_id integer default null,
    p_elsewhere boolean default false
) returns table (
    is_equal boolean, said text, place bigint, symbol text, as_of timestamptz, field text,
    moved text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select v.*
    from feature.verify(
        p_receipt, p_symbols, feature.for_each(p_symbols, p_as_of), null::timestamptz[], p_tenant_id,
        p_elsewhere
    ) as v
$$;
revoke all on function feature.verify(text, text[], timestamptz, integer, boolean) from public;
grant execute on function feature.verify(text, text[], timestamptz, integer, boolean)
to market_reader;
comment on function feature.verify(text, text[], timestamptz, integer, boolean) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function feature.verify(
    p_receipt text, p_symbols text[], p_as_of text, p_tenant_id integer default null,
    p_elsewhere boolean default false
) returns table (
    is_equal boolean, said text, place bigint, symbol text, as_of timestamptz, field text,
    moved text
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select v.*
    from feature.verify(p_receipt, p_symbols, p_as_of::timestamptz, p_tenant_id, p_elsewhere) as v
$$;
revoke all on function feature.verify(text, text[], text, integer, boolean) from public;
grant execute on function feature.verify(text, text[], text, integer, boolean)
to market_reader;
comment on function feature.verify(text, text[], text, integer, boolean) is
'The same for a moment written as a plain literal: see the form with arrays.';
