-- depends: functions/feature/end_fields functions/feature/ticked_series
create or replace function feature.end_lost_fields(
    p_set text, p_from timestamptz, p_to timestamptz
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform feature.end_fields(
        p_set, w.tenant_id, w.symbol, array_agg(w.field), p_from, p_to
    )
    from feature.waiting_field as w
    where
        w.feature_set = p_set
        and w.buckets && tstzrange(p_from, p_to)
        and not exists (
            select from feature.ticked_series(p_from, p_to) as t
            where t.tenant_id = w.tenant_id and t.symbol = w.symbol
        )
    group by w.tenant_id, w.symbol;
end
$$;
revoke all on function feature.end_lost_fields(text, timestamptz, timestamptz) from public;
grant execute on function feature.end_lost_fields(text, timestamptz, timestamptz)
to market_operator;
comment on function feature.end_lost_fields(text, timestamptz, timestamptz) is
'Takes the bars with bucket in [p_from, p_to) of series that have no tick there any more out of '
'feature.waiting_field: no backfill can give a field of the set p_set a value of them. Step of '
'feature.backfill_set().';
