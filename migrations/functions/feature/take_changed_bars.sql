create or replace function feature.take_changed_bars(p_clock feature.clock) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_bars bigint;
begin
    create temp table changed on commit drop as
    -- series whose formulas failed not long ago, and whose ticks were only added to since
    with waiting as (
        select
            s.tenant_id,
            s.symbol
        from feature.set_aside as s
        where
            s.try_after > p_clock.published_at
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
    ),

    due as (
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
            )
    ),

    bar as (
        select
            d.tenant_id,
            d.symbol,
            d.bucket,
            max(array_position(c_causes, d.cause)) as cause_rank,
            min(d.known_from) as known_from,
            max(d.known_to) as known_to,
            bool_or(d.bars_before) as bars_before
        from due as d
        group by d.tenant_id, d.symbol, d.bucket
    )

    select
        row_number() over ()::integer as series_no,
        b.tenant_id,
        b.symbol,
        b.bucket,
        b.cause_rank,
        b.known_from,
        least(b.known_to, p_clock.published_at) as known_to,
        b.bars_before,
        v.version
    from bar as b
    left join lateral (
        select l as version
        from feature.log as l
        where l.tenant_id = b.tenant_id and l.symbol = b.symbol and l.bucket = b.bucket
        order by l.known_at desc
        limit 1
    ) as v on true
    -- a bar closed and known as a whole before this database was live is history, for a backfill
    where
        (v.version).known_at is not null
        or greatest(b.known_to, b.bucket + interval '1 minute') > p_clock.live_from;
    get diagnostics v_bars = row_count;
    analyze changed;
    return v_bars;
end
$$;
revoke all on function feature.take_changed_bars(feature.clock) from public;
comment on function feature.take_changed_bars(feature.clock) is
'Takes from the queue feature.changed_bar the closed bars whose ticks had changed by the stamp '
'p_clock.published_at, and makes of them the temporary table changed: one row per bar, with its '
'number (series_no), tenant_id, symbol, bucket, cause_rank (1 late, 2 correction, 3 cancel), '
'known_from and known_to of the changes, bars_before, and its last version in the log. Those of a '
'series that is set aside stay in the queue until it is to be tried again. A bar known as a whole '
'by p_clock.live_from without a version is history, and is left out; in which series history has '
'changed is counted in feature.history_change. Returns how many. Step of feature.publish().';
