-- depends: functions/feature/verify_answer
create or replace function api.verify(
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
        'api', p_receipt, p_symbols, p_as_of, p_known_as_of, p_tenant_id, p_elsewhere
    ) as v
$$;
revoke all on function api.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) from public;
grant execute on function api.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) to market_tenant;
comment on function api.verify(
    text, text[], timestamptz[], timestamptz[], integer, boolean
) is
'feature.verify() of what the asking login may see.';

create or replace function api.verify(
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
    from api.verify(
        p_receipt, p_symbols, feature.for_each(p_symbols, p_as_of), null::timestamptz[], p_tenant_id,
        p_elsewhere
    ) as v
$$;
revoke all on function api.verify(text, text[], timestamptz, integer, boolean) from public;
grant execute on function api.verify(text, text[], timestamptz, integer, boolean) to market_tenant;
comment on function api.verify(text, text[], timestamptz, integer, boolean) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function api.verify(
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
    from api.verify(p_receipt, p_symbols, p_as_of::timestamptz, p_tenant_id, p_elsewhere) as v
$$;
revoke all on function api.verify(text, text[], text, integer, boolean) from public;
grant execute on function api.verify(text, text[], text, integer, boolean) to market_tenant;
comment on function api.verify(text, text[], text, integer, boolean) is
'The same for a moment written as a plain literal: see the form with arrays.';
