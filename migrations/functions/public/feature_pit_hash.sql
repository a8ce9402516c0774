-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/value_bytes
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_hash(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    -- Lengths before texts, big-endian numbers, a byte for NULL: no two sets give the same bytes.
    -- Adding 0 makes -0 and 0 one value.
    select encode(sha256(coalesce(string_agg(
        int4send(octet_length(s.symbol))
        || convert_to(s.symbol, 'UTF8')
        || timestamptz_send(s.as_of)
        { || feature.value_bytes(s.%I) | },
        ''::bytea order by s.ordinality
    ), ''::bytea)), 'hex')
    from public.{prefix}_pit_snapshot(p_symbols, p_as_of, p_known_as_of, p_tenant_id)
        with ordinality as s
$$;
revoke all on function public.{prefix}_pit_hash(text[], timestamptz[], timestamptz[], integer)
from public;
grant execute on function public.{prefix}_pit_hash(text[], timestamptz[], timestamptz[], integer)
to market_reader;
comment on function public.{prefix}_pit_hash(text[], timestamptz[], timestamptz[], integer) is
'SHA-256, in hex, of what public.{prefix}_pit_snapshot() returns for the same arguments: its '
'symbols, as_of and fields, in order. Equal if and only if these are, on any engine; when '
'a value became known is not part of it, so that a rebuilt log can be checked against the one it '
'replaces. Arguments and errors: as there.';

create or replace function public.{prefix}_pit_hash(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select public.{prefix}_pit_hash(
        p_symbols,
        feature.for_each(p_symbols, p_as_of),
        feature.for_each(p_symbols, p_known_as_of),
        p_tenant_id
    )
$$;
revoke all on function public.{prefix}_pit_hash(text[], timestamptz, timestamptz, integer)
from public;
grant execute on function public.{prefix}_pit_hash(text[], timestamptz, timestamptz, integer)
to market_reader;
comment on function public.{prefix}_pit_hash(text[], timestamptz, timestamptz, integer) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function public.{prefix}_pit_hash(
    p_symbols text[], p_as_of text, p_known_as_of text default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select public.{prefix}_pit_hash(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id
    )
$$;
revoke all on function public.{prefix}_pit_hash(text[], text, text, integer) from public;
grant execute on function public.{prefix}_pit_hash(text[], text, text, integer) to market_reader;
comment on function public.{prefix}_pit_hash(text[], text, text, integer) is
'The same for a moment written as a plain literal: see the form with arrays.';
$sql$);
