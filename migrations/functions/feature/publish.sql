create or replace procedure feature.publish(
    p_known_at timestamptz default null, inout p_versions bigint default null
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
-- A series' last bars are read backwards from an index that is left early: the planner does not see
-- where, and would read and sort the whole history instead.
set enable_sort = off
set enable_bitmapscan = off
as $$
declare
    c_minute constant interval := interval '1 minute';
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_clock feature.clock;
    v_known_at timestamptz;
    v_reach record;
begin
    p_versions := 0;
    -- One publish at a time: the next one waits here, and then sees what this one wrote.
    select c.* into strict v_clock from feature.clock as c for update;
    v_known_at := coalesce(
        p_known_at, greatest(clock_timestamp(), v_clock.published_at + interval '1 microsecond')
    );
    if v_known_at <= v_clock.published_at then
        raise exception 'p_known_at % is not after the last publish, %', v_known_at,
            v_clock.published_at
            using errcode = 'invalid_parameter_value',
            hint = 'What was known then may have been read already: leave p_known_at out.';
    elsif p_known_at > clock_timestamp() then
        raise exception 'p_known_at % is in the future', p_known_at
            using errcode = 'invalid_parameter_value', hint = 'Leave p_known_at out.';
    end if;
    update feature.clock set published_at = v_known_at;

    drop table if exists pg_temp.changed, pg_temp.event_trade, pg_temp.event_quote, pg_temp.own,
        pg_temp.moved, pg_temp.island, pg_temp.known_bar, pg_temp.window_bar, pg_temp.window_value;

    -- The closed bars whose ticks changed, with their last version.
    create temp table changed on commit drop as
    with taken as (
        delete from feature.changed_bar as c
        where c.bucket <= v_known_at - c_minute and c.known_to <= v_known_at
        returning c.*
    ),

    due as (
        select * from taken
        union all
        -- a part of it is not known yet: the row stays for the next publish
        select c.*
        from feature.changed_bar as c
        where
            c.bucket <= v_known_at - c_minute
            and c.known_from <= v_known_at
            and c.known_to > v_known_at
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
        row_number() over ()::integer as bar_no,
        b.tenant_id,
        b.symbol,
        b.bucket,
        b.cause_rank,
        b.known_from,
        least(b.known_to, v_known_at) as known_to,
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
        or greatest(b.known_to, b.bucket + c_minute) > v_clock.live_from;
    if not exists (select from changed) then
        return;
    end if;
    analyze changed;

    -- Their own values, from the ticks as believed at the stamp.
    create temp table event_trade on commit drop as
    select
        c.bar_no as tenant_id,
        c.symbol,
        t.ts,
        t.seq,
        t.price,
        t.size,
        t.side,
        t.known_at
    from changed as c
    cross join lateral (
        select
            m.ts,
            m.seq,
            m.price,
            m.size,
            m.side,
            m.known_at
        from market.trade as m
        where
            m.tenant_id = c.tenant_id
            and m.symbol = c.symbol
            and m.ts >= c.bucket
            and m.ts < c.bucket + c_minute
            and m.known_at <= v_known_at
        union all
        select
            s.ts,
            s.seq,
            s.price,
            s.size,
            s.side,
            s.known_at
        from market.trade_superseded as s
        where
            s.tenant_id = c.tenant_id
            and s.symbol = c.symbol
            and s.ts >= c.bucket
            and s.ts < c.bucket + c_minute
            and s.known_at <= v_known_at
            and s.superseded_at > v_known_at
    ) as t
    order by c.bar_no, t.ts, t.seq;

    create temp table event_quote on commit drop as
    select
        c.bar_no as tenant_id,
        c.symbol,
        q.ts,
        q.seq,
        q.bid,
        q.bid_size,
        q.ask,
        q.ask_size,
        q.known_at
    from changed as c
    cross join lateral (
        select
            m.ts,
            m.seq,
            m.bid,
            m.bid_size,
            m.ask,
            m.ask_size,
            m.known_at
        from market.quote as m
        where
            m.tenant_id = c.tenant_id
            and m.symbol = c.symbol
            and m.ts >= c.bucket
            and m.ts < c.bucket + c_minute
            and m.known_at <= v_known_at
        union all
        select
            s.ts,
            s.seq,
            s.bid,
            s.bid_size,
            s.ask,
            s.ask_size,
            s.known_at
        from market.quote_superseded as s
        where
            s.tenant_id = c.tenant_id
            and s.symbol = c.symbol
            and s.ts >= c.bucket
            and s.ts < c.bucket + c_minute
            and s.known_at <= v_known_at
            and s.superseded_at > v_known_at
    ) as q
    order by c.bar_no, q.ts, q.seq;
    analyze event_trade;
    analyze event_quote;
    perform feature.evaluate('own', jsonb_build_object(
        'trade', 'select * from pg_temp.event_trade', 'quote', 'select * from pg_temp.event_quote'
    ), 'select f.tenant_id, f.symbol, f.bucket, f.open, f.high, f.low, f.close, f.volume, f.vwap,
        f.spread_bps, f.order_imbalance
        from feature_1m as f');

    -- Windows read the closes of other bars: where a close changed, later bars can change too.
    v_reach := feature.reach();
    create temp table moved on commit drop as
    select
        c.tenant_id,
        c.symbol,
        c.bucket,
        c.cause_rank,
        greatest(
            coalesce(f.next_bucket + v_reach.minutes * c_minute, 'infinity'),
            coalesce(f.last_bucket, 'infinity')
        ) as reached_to,
        f.next_bucket is not null as is_followed
    from changed as c
    left join own as o on c.bar_no = o.tenant_id
    cross join lateral (
        select
            min(later.bucket) as next_bucket,
            max(later.bucket) filter (where later.place = v_reach.bars + 1) as last_bucket
        from (
            select
                d.bucket,
                row_number() over (order by d.bucket) as place
            from (
                select distinct on (l.bucket)
                    l.bucket,
                    l.close
                from feature.log as l
                where l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket > c.bucket
                order by l.bucket asc, l.known_at desc
            ) as d
            where d.close is not null
            order by d.bucket
            limit v_reach.bars + 1
        ) as later
    ) as f
    where o.close is distinct from (c.version).close or c.bars_before;
    analyze moved;

    -- Overlapping reaches of one series are one island.
    create temp table island on commit drop as
    with marked as (
        select
            m.*,
            m.bucket > max(m.reached_to) over (
                partition by m.tenant_id, m.symbol
                order by m.bucket
                rows between unbounded preceding and 1 preceding
            ) as is_new
        from moved as m
    ),

    numbered as (
        select
            m.*,
            count(*) filter (where m.is_new) over (
                partition by m.tenant_id, m.symbol order by m.bucket
            ) as place
        from marked as m
    )

    select
        row_number() over ()::integer as island_no,
        n.tenant_id,
        n.symbol,
        min(n.bucket) as reached_from,
        max(n.reached_to) as reached_to
    from numbered as n
    group by n.tenant_id, n.symbol, n.place;
    analyze island;

    -- Closes of its bars and of those before it that their windows read.
    create temp table window_bar on commit drop as
    select
        i.island_no,
        b.bucket,
        b.close
    from island as i
    cross join lateral (
        (
            select distinct on (l.bucket)
                l.bucket,
                l.close
            from feature.log as l
            where
                l.tenant_id = i.tenant_id
                and l.symbol = i.symbol
                and l.bucket > i.reached_from - v_reach.minutes * c_minute
                and l.bucket <= i.reached_to
            order by l.bucket desc, l.known_at desc
        )
        union all
        (
            select
                e.bucket,
                e.close
            from (
                select distinct on (l.bucket)
                    l.bucket,
                    l.close
                from feature.log as l
                where
                    l.tenant_id = i.tenant_id
                    and l.symbol = i.symbol
                    and l.bucket <= i.reached_from - v_reach.minutes * c_minute
                order by l.bucket desc, l.known_at desc
            ) as e
            where e.close is not null
            order by e.bucket desc
            -- one more for the first return, and as many as can go with this publish
            limit v_reach.bars + 1 + (
                select count(*)
                from changed as c
                where c.tenant_id = i.tenant_id and c.symbol = i.symbol
            )
        )
    ) as b
    where
        b.close is not null
        and not exists (
            select from changed as c
            where c.tenant_id = i.tenant_id and c.symbol = i.symbol and c.bucket = b.bucket
        )
    union all
    select
        i.island_no,
        o.bucket,
        o.close
    from island as i
    inner join changed as c on i.tenant_id = c.tenant_id and i.symbol = c.symbol
    inner join own as o on c.bar_no = o.tenant_id
    where o.bucket <= i.reached_to
    order by 1, 2;
    perform feature.evaluate('window_value', jsonb_build_object(
        'ohlc_1m',
        'select island_no as tenant_id, ''''::text as symbol, bucket, close as open, close as high, '
        'close as low, close, close as volume, close as notional, 1 as trades '
        'from pg_temp.window_bar',
        'flow_1m', 'select * from market.flow_1m where false',
        'quote_1m', 'select * from market.quote_1m where false'
    ), format(
        'select f.tenant_id, f.bucket, f.sma_20, f.volatility_1h, f.regime_tag
        from feature_1m as f
        inner join pg_temp.island as i
            on i.island_no = f.tenant_id and f.bucket between i.reached_from and i.reached_to
        -- says nothing new, but can be asked before the join
        where f.bucket >= %L', (select min(reached_from) from island)
    ));

    -- Append what differs from the last version.
    with trailing_value as (
        select
            i.tenant_id,
            i.symbol,
            t.bucket,
            t.sma_20,
            t.volatility_1h,
            t.regime_tag,
            (
                select max(m.cause_rank)
                from moved as m
                where
                    m.tenant_id = i.tenant_id
                    and m.symbol = i.symbol
                    and m.bucket between i.reached_from and t.bucket
            ) as cause_rank
        from island as i
        inner join window_value as t on i.island_no = t.tenant_id
    ),

    changed_value as (
        select
            c.tenant_id,
            c.symbol,
            c.bucket,
            o.open,
            o.high,
            o.low,
            o.close,
            o.volume,
            o.vwap,
            case when t.bucket is null then (c.version).sma_20 else t.sma_20 end as sma_20,
            case when t.bucket is null then (c.version).volatility_1h else t.volatility_1h end
                as volatility_1h,
            case when t.bucket is null then (c.version).regime_tag else t.regime_tag end
                as regime_tag,
            o.spread_bps,
            o.order_imbalance,
            greatest(c.cause_rank, t.cause_rank) as cause_rank,
            c.version
        from changed as c
        inner join own as o on c.bar_no = o.tenant_id
        left join trailing_value as t
            on c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
    ),

    gone as (
        select
            c.tenant_id,
            c.symbol,
            c.bucket,
            c.cause_rank
        from changed as c
        where
            (c.version).close is not null
            and not exists (select from own as o where o.tenant_id = c.bar_no)
    ),

    reached_value as (
        select
            t.*,
            v.version
        from trailing_value as t
        cross join lateral (
            select l as version
            from feature.log as l
            where l.tenant_id = t.tenant_id and l.symbol = t.symbol and l.bucket = t.bucket
            order by l.known_at desc
            limit 1
        ) as v
        where not exists (
            select from changed as c
            where c.tenant_id = t.tenant_id and c.symbol = t.symbol and c.bucket = t.bucket
        )
    ),

    next_version as (
        select
            tenant_id, symbol, bucket, open, high, low, close, volume, vwap, sma_20, volatility_1h,
            regime_tag, spread_bps, order_imbalance, cause_rank, version
        from changed_value
        union all
        select
            tenant_id, symbol, bucket, (version).open, (version).high, (version).low,
            (version).close, (version).volume, (version).vwap, sma_20, volatility_1h, regime_tag,
            (version).spread_bps, (version).order_imbalance, cause_rank, version
        from reached_value
        union all
        select
            tenant_id, symbol, bucket, null, null, null, null, null, null, null, null, null, null,
            null, cause_rank, null
        from gone
    )

    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, vwap, sma_20,
        volatility_1h, regime_tag, spread_bps, order_imbalance, cause
    )
    select
        n.tenant_id, n.symbol, n.bucket, v_known_at, n.open, n.high, n.low, n.close, n.volume,
        n.vwap, n.sma_20, n.volatility_1h, n.regime_tag, n.spread_bps, n.order_imbalance,
        case
            when (n.version).known_at is null and n.close is not null then 'close'
            else c_causes[n.cause_rank]
        end
    from next_version as n
    where
        n.close is null
        or row(
            n.open, n.high, n.low, n.close, n.volume, n.vwap, n.sma_20, n.volatility_1h,
            n.regime_tag, n.spread_bps, n.order_imbalance
        ) is distinct from row(
            (n.version).open, (n.version).high, (n.version).low, (n.version).close,
            (n.version).volume, (n.version).vwap, (n.version).sma_20, (n.version).volatility_1h,
            (n.version).regime_tag, (n.version).spread_bps, (n.version).order_imbalance
        )
    order by n.bucket, n.tenant_id, n.symbol;
    get diagnostics p_versions = row_count;

    insert into feature.series (symbol, tenant_id)
    select distinct
        c.symbol,
        c.tenant_id
    from changed as c
    inner join own as o on c.bar_no = o.tenant_id
    on conflict do nothing;

    insert into feature.restatement (
        tenant_id, symbol, bucket, known_at, cause, known_from, known_to
    )
    select
        c.tenant_id, c.symbol, c.bucket, v_known_at, c_causes[c.cause_rank], c.known_from,
        c.known_to
    from changed as c
    where
        (c.version).known_at is not null
        or exists (
            select from moved as m
            where
                m.tenant_id = c.tenant_id
                and m.symbol = c.symbol
                and m.bucket = c.bucket
                and m.is_followed
        );
end
$$;
revoke all on procedure feature.publish(timestamptz, bigint) from public;
grant execute on procedure feature.publish(timestamptz, bigint) to market_operator;
comment on procedure feature.publish(timestamptz, bigint) is -- noqa: LT01
'One publish: finds the closed bars whose ticks changed since the last one, recomputes them and '
'the later bars that they reach, and appends the versions whose values differ, all stamped with '
'the same knowledge time, in one transaction. Two at once run one after the other. p_known_at: '
'the stamp, default now; after the last one and not in the future. It reads the ticks as believed '
'at the stamp. p_versions: leave out; returns how many versions were appended. Bars that were '
'known as a whole before feature.clock.live_from and have no version are left to '
'feature.backfill(). Errors: 22023 for a stamp that cannot be; 42P01 when "dbt run" has not made '
'the models.';
