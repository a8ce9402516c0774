-- depends: functions/feature/make_receipt
create or replace function api.receipt(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select feature.make_receipt('api', p_symbols, p_as_of, p_known_as_of, p_tenant_id, p_set)
$$;
revoke all on function api.receipt(text[], timestamptz[], timestamptz[], integer, text)
from public;
grant execute on function api.receipt(text[], timestamptz[], timestamptz[], integer, text)
to market_tenant;
comment on function api.receipt(text[], timestamptz[], timestamptz[], integer, text) is
'feature.receipt() of what the asking login may see: of api.feature_pit_snapshot(), or of the set '
'p_set''s.';

create or replace function api.receipt(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select api.receipt(
        p_symbols,
        feature.for_each(p_symbols, p_as_of),
        feature.for_each(p_symbols, p_known_as_of),
        p_tenant_id,
        p_set
    )
$$;
revoke all on function api.receipt(text[], timestamptz, timestamptz, integer, text) from public;
grant execute on function api.receipt(text[], timestamptz, timestamptz, integer, text)
to market_tenant;
comment on function api.receipt(text[], timestamptz, timestamptz, integer, text) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function api.receipt(
    p_symbols text[], p_as_of text, p_known_as_of text default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select api.receipt(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id, p_set
    )
$$;
revoke all on function api.receipt(text[], text, text, integer, text) from public;
grant execute on function api.receipt(text[], text, text, integer, text)
to market_tenant;
comment on function api.receipt(text[], text, text, integer, text) is
'The same for a moment written as a plain literal: see the form with arrays.';
