create or replace function feature.bars_before(
    p_tenant_id integer, p_symbol text, p_before timestamptz, p_bars integer
) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_bucket timestamptz := p_before;
begin
    for v_bar in 1 .. p_bars loop
        v_bucket := (
            select date_bin(interval '1 minute', t.ts, timestamptz '2000-01-01 00:00:00+00')
            from market.trade as t
            where
                t.tenant_id = p_tenant_id
                and t.symbol = p_symbol
                and t.ts < v_bucket
                and t.known_at <= date_bin(
                    interval '1 minute', t.ts, timestamptz '2000-01-01 00:00:00+00'
                ) + interval '1 minute'
            order by t.ts desc
            limit 1
        );
        exit when v_bucket is null;
    end loop;
    return coalesce(v_bucket, '-infinity');
end
$$;
revoke all on function feature.bars_before(integer, text, timestamptz, integer) from public;
comment on function feature.bars_before(integer, text, timestamptz, integer) is
'Bucket of the p_bars-th bar before p_before among those that were there as soon as they closed '
'and still are: between it and p_before there are as many bars at any knowledge time. -infinity '
'when there are fewer.';
