create or replace function feature.take_due(p_clock feature.clock)
returns setof feature.changed_bar
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    -- series whose formulas failed not long ago, and whose ticks were only added to since
    with waiting as (
        select
            s.tenant_id,
            s.symbol
        from feature.set_aside as s
        where
            s.feature_set = 'market_1m'
            and s.try_after > p_clock.published_at
            and s.amends = (
                select count(*)
                from feature.changed_bar as c
                where c.tenant_id = s.tenant_id and c.symbol = s.symbol and c.cause <> 'late'
            )
    ),

    taken as (
        delete from feature.changed_bar as c
        where
            c.bucket <= p_clock.published_at - interval '1 minute'
            and c.known_to <= p_clock.published_at
            and not exists (
                select from waiting as w where w.tenant_id = c.tenant_id and w.symbol = c.symbol
            )
        returning c.*
    ),

    -- a backfill that has read these series' ticks before must know (feature.backfill_slice)
    noted as (
        insert into feature.history_change as h (symbol, tenant_id)
        select distinct
            t.symbol,
            t.tenant_id
        from taken as t
        where t.known_from <= p_clock.live_from and not t.bars_before
        on conflict (symbol, tenant_id) do update set publishes = h.publishes + 1
    )

    select * from taken
    union all
    -- a part of it is not known yet: the row stays for the next publish
    select c.*
    from feature.changed_bar as c
    where
        c.bucket <= p_clock.published_at - interval '1 minute'
        and c.known_from <= p_clock.published_at
        and c.known_to > p_clock.published_at
        and not exists (
            select from waiting as w where w.tenant_id = c.tenant_id and w.symbol = c.symbol
        );
end
$$;
revoke all on function feature.take_due(feature.clock) from public;
comment on function feature.take_due(feature.clock) is
'Takes from the queue feature.changed_bar the rows of closed bars whose changes were known by the '
'stamp p_clock.published_at, and returns them with those of which a part was: these stay. In which '
'series they change history is counted in feature.history_change. Step of feature.publish().';
