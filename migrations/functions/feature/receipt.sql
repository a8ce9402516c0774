-- depends: functions/feature/make_receipt
create or replace function feature.receipt(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select feature.make_receipt('public', p_symbols, p_as_of, p_known_as_of, p_tenant_id, p_set)
$$;
revoke all on function feature.receipt(text[], timestamptz[], timestamptz[], integer, text)
from public;
grant execute on function feature.receipt(text[], timestamptz[], timestamptz[], integer, text)
to market_reader;
comment on function feature.receipt(text[], timestamptz[], timestamptz[], integer, text) is
'A line of at most 200 characters that stands for an answer, for a model or a report to carry: '
'feature.verify() says later whether it is still given. p_symbols, p_as_of, p_known_as_of, '
'p_tenant_id: as of public.feature_pit_snapshot(); p_set: the set of features, whose snapshot it '
'is. It holds digests of the answer, the question, the definition of the set, and the contract '
'and the reference data as they '
'were known at the last publish, which it names. Errors: 42704 for no such set; else as of the '
'snapshot.';

create or replace function feature.receipt(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select feature.receipt(
        p_symbols,
        feature.for_each(p_symbols, p_as_of),
        feature.for_each(p_symbols, p_known_as_of),
        p_tenant_id,
        p_set
    )
$$;
revoke all on function feature.receipt(text[], timestamptz, timestamptz, integer, text) from public;
grant execute on function feature.receipt(text[], timestamptz, timestamptz, integer, text)
to market_reader;
comment on function feature.receipt(text[], timestamptz, timestamptz, integer, text) is
'The same for several symbols at one moment: see the form with arrays.';

create or replace function feature.receipt(
    p_symbols text[], p_as_of text, p_known_as_of text default null,
    p_tenant_id integer default null, p_set text default 'market_1m'
) returns text
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select feature.receipt(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id, p_set
    )
$$;
revoke all on function feature.receipt(text[], text, text, integer, text) from public;
grant execute on function feature.receipt(text[], text, text, integer, text)
to market_reader;
comment on function feature.receipt(text[], text, text, integer, text) is
'The same for a moment written as a plain literal: see the form with arrays.';
