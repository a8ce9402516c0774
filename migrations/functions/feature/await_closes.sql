-- depends: functions/feature/bars_of functions/feature/born_at
create or replace function feature.await_closes(
    p_set text, p_after timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    with recent as materialized (
        select distinct
            s.tenant_id,
            s.symbol,
            t.bucket
        from slice as s
        inner join timeline as t on s.series_no = t.series_no
        -- no session is longer
        where t.is_there and t.bucket > p_after - interval '25 hours'
    )

    insert into feature.waiting_bar (
        feature_set, tenant_id, symbol, bucket, closes_at, cause
    )
    select distinct
        p.feature_set, r.tenant_id, r.symbol, b.bucket, b.closes_at, 'late'
    from feature.published_set() as p
    inner join market.feature_set as f on p.feature_set = f.feature_set
    cross join lateral feature.bars_of(
        f.grain,
        (select array_agg(m.symbol) from recent as m),
        (select array_agg(m.bucket) from recent as m)
    ) as b
    inner join recent as r on b.symbol = r.symbol and b.minute = r.bucket
    where
        p.made_of = p_set
        and b.closes_at > greatest(feature.born_at(p.feature_set), p_after)
    on conflict do nothing;
end
$$;
revoke all on function feature.await_closes(text, timestamptz) from public;
comment on function feature.await_closes(text, timestamptz) is
'Queues in feature.waiting_bar, of the sets made of p_set, the bars of the minutes in slice and '
'timeline that close after p_after and after their set was born: no backfill builds them, and a '
'publish that looked at these minutes before did not find them, or not whole. Step of '
'feature.append_history() and feature.fill_slice().';
