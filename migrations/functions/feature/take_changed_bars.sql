create or replace function feature.take_changed_bars(p_clock feature.clock) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    c_none constant bit(1440) := 0::bit(1440);
    v_bars bigint;
begin
    create temp table due on commit drop as
    with queued as (
        select
            d.*,
            coalesce(i.bars_from, 'trade') as bars_from
        from feature.take_due(p_clock) as d
        left join market.instrument as i on d.symbol = i.symbol
    ),

    bar as (
        select
            d.tenant_id,
            d.symbol,
            d.bucket,
            max(array_position(c_causes, d.cause)) as cause_rank,
            min(d.known_from) as known_from,
            max(d.known_to) as known_to,
            bool_or(d.bars_before) as bars_before,
            bool_or(d.kind = d.bars_from) as makes_bar
        from queued as d
        -- of quotes any bar has its spread; what makes none counts for nothing
        where d.kind in (d.bars_from, 'quote')
        group by d.tenant_id, d.symbol, d.bucket
    ),

    known as (
        select
            b.*,
            v.version,
            -- closed and known as a whole before this database was live: for a backfill
            (v.version).known_at is null
            and greatest(b.known_to, b.bucket + interval '1 minute') <= p_clock.live_from
                as is_history
        from bar as b
        left join lateral (
            select l as version
            from feature.log as l
            where l.tenant_id = b.tenant_id and l.symbol = b.symbol and l.bucket = b.bucket
            order by l.known_at desc
            limit 1
        ) as v on true
    ),

    -- a generation that is being made has to read these again
    to_rebuild as (
        insert into feature.rebuild_change (tenant_id, symbol, bucket)
        select
            d.tenant_id,
            d.symbol,
            min(d.bucket)
        from queued as d
        where exists (select from feature.rebuild_run)
        group by d.tenant_id, d.symbol
    ),

    waits as (
        insert into feature.waiting_history as h (symbol, tenant_id, day, minutes)
        select
            k.symbol,
            k.tenant_id,
            (k.bucket at time zone 'UTC')::date,
            bit_or(set_bit(c_none, feature.minute_of_day(k.bucket), 1))
        from known as k
        where k.is_history and k.makes_bar
        group by 1, 2, 3
        on conflict (symbol, tenant_id, day) do update set minutes = h.minutes | excluded.minutes
    ),

    quoted as (
        insert into feature.quoted_series (symbol, tenant_id)
        select distinct
            d.symbol,
            d.tenant_id
        from queued as d
        where
            d.kind <> d.bars_from
            and not exists (
                select from feature.series as s
                where s.symbol = d.symbol and s.tenant_id = d.tenant_id
            )
        on conflict do nothing
    )

    select
        row_number() over ()::integer as series_no,
        k.tenant_id,
        k.symbol,
        k.bucket,
        k.cause_rank,
        k.known_from,
        least(k.known_to, p_clock.published_at) as known_to,
        k.bars_before,
        k.version,
        null::text as only_set
    from known as k
    where not k.is_history;
    get diagnostics v_bars = row_count;
    perform feature.take_apart(p_clock.published_at);
    analyze due;
    return v_bars;
end
$$;
revoke all on function feature.take_changed_bars(feature.clock) from public;
comment on function feature.take_changed_bars(feature.clock) is
'Takes from the queue feature.changed_bar the closed bars whose ticks had changed by the stamp '
'p_clock.published_at, and makes of them the temporary table due: one row per bar, with its number '
'(series_no), tenant_id, symbol, bucket, cause_rank (1 late, 2 correction, 3 cancel), known_from '
'and known_to of the changes, bars_before, and its last version in feature.log. Bars that '
'feature.waiting_bar has for one set made of ticks come with its name as only_set. Those of a '
'series that is set aside stay in the queue until it is to be tried again. A bar known as a whole '
'by p_clock.live_from without a version is history, is left out, and noted in '
'feature.waiting_history if ticks that make a bar changed. While feature.rebuild() is at work all '
'are noted in feature.rebuild_change. Returns how many. Step of '
'feature.publish().';
