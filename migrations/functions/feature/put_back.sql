create or replace function feature.put_back(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    insert into feature.waiting_bar (
        feature_set, tenant_id, symbol, bucket, closes_at, cause, bars_before
    )
    select
        p_set, c.tenant_id, c.symbol, c.bucket,
        coalesce(
            (to_jsonb(c) ->> 'closes_at')::timestamp with time zone,
            c.bucket + interval '1 minute'
        ),
        (array['late', 'correction', 'cancel'])[c.cause_rank],
        -- what another set changes now it will not say again
        true
    from changed as c
    where (c.tenant_id, c.symbol) in (select f.tenant_id, f.symbol from failed as f)
    on conflict do nothing;
end
$$;
revoke all on function feature.put_back(text) from public;
comment on function feature.put_back(text) is
'Puts the bars of changed of the series in failed into feature.waiting_bar, for another publish of '
'the set p_set. Step of feature.put_aside().';
