create or replace function feature.backfill_slice(
    p_tenant_ids integer[], p_symbols text[], p_from timestamptz, p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
    c_minute constant interval := interval '1 minute';
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_clock feature.clock;
    v_reach record;
    v_versions bigint;
begin
    -- No publish meanwhile: which bars it has versions of must not change.
    select c.* into strict v_clock from feature.clock as c for update;
    v_reach := feature.reach();
    drop table if exists pg_temp.slice, pg_temp.slice_trade, pg_temp.slice_quote,
        pg_temp.moment, pg_temp.event_trade, pg_temp.event_quote, pg_temp.own, pg_temp.bar_state,
        pg_temp.stable, pg_temp.disturbance, pg_temp.epoch, pg_temp.epoch_output, pg_temp.span,
        pg_temp.window_bar, pg_temp.window_value, pg_temp.timeline;

    create temp table slice on commit drop as
    select
        s.place::integer as series_no,
        s.tenant_id,
        s.symbol,
        feature.bars_before(
            s.tenant_id, s.symbol, p_from - v_reach.minutes * c_minute, v_reach.bars + 1
        ) as context_from
    from unnest(p_tenant_ids, p_symbols) with ordinality as s (tenant_id, symbol, place);
    analyze slice;

    -- Every belief about a tick: from when, to when, and what ended it.
    create temp table slice_trade on commit drop as
    select
        s.series_no,
        s.symbol,
        date_bin(c_minute, t.ts, c_origin) as bucket,
        t.ts,
        t.seq,
        t.price,
        t.size,
        t.side,
        t.known_at,
        t.superseded_at,
        t.cause
    from slice as s
    cross join lateral (
        select
            m.ts,
            m.seq,
            m.price,
            m.size,
            m.side,
            m.known_at,
            timestamptz 'infinity' as superseded_at,
            null::text as cause
        from market.trade as m
        where
            m.tenant_id = s.tenant_id
            and m.symbol = s.symbol
            and m.ts >= s.context_from
            and m.ts < p_to
            and m.known_at <= v_clock.live_from
        union all
        select
            o.ts,
            o.seq,
            o.price,
            o.size,
            o.side,
            o.known_at,
            o.superseded_at,
            o.cause
        from market.trade_superseded as o
        where
            o.tenant_id = s.tenant_id
            and o.symbol = s.symbol
            and o.ts >= s.context_from
            and o.ts < p_to
            and o.known_at <= v_clock.live_from
    ) as t;
    analyze slice_trade;

    create temp table slice_quote on commit drop as
    select
        s.series_no,
        s.symbol,
        date_bin(c_minute, q.ts, c_origin) as bucket,
        q.ts,
        q.seq,
        q.bid,
        q.bid_size,
        q.ask,
        q.ask_size,
        q.known_at,
        q.superseded_at,
        q.cause
    from slice as s
    cross join lateral (
        select
            m.ts,
            m.seq,
            m.bid,
            m.bid_size,
            m.ask,
            m.ask_size,
            m.known_at,
            timestamptz 'infinity' as superseded_at,
            null::text as cause
        from market.quote as m
        where
            m.tenant_id = s.tenant_id
            and m.symbol = s.symbol
            and m.ts >= p_from
            and m.ts < p_to
            and m.known_at <= v_clock.live_from
        union all
        select
            o.ts,
            o.seq,
            o.bid,
            o.bid_size,
            o.ask,
            o.ask_size,
            o.known_at,
            o.superseded_at,
            o.cause
        from market.quote_superseded as o
        where
            o.tenant_id = s.tenant_id
            and o.symbol = s.symbol
            and o.ts >= p_from
            and o.ts < p_to
            and o.known_at <= v_clock.live_from
    ) as q;
    analyze slice_quote;

    -- The moments at which what is known of a closed bar changes, and why.
    create temp table moment on commit drop as
    with change as (
        select
            e.series_no,
            e.bucket,
            greatest(e.known_at, e.bucket + c_minute) as known_at,
            1 as cause_rank
        from (
            select series_no, bucket, known_at from slice_trade
            union all
            select series_no, bucket, known_at from slice_quote
        ) as e
        union all
        select
            e.series_no,
            e.bucket,
            greatest(e.superseded_at, e.bucket + c_minute),
            array_position(c_causes, e.cause)
        from (
            select series_no, bucket, superseded_at, cause from slice_trade
            union all
            select series_no, bucket, superseded_at, cause from slice_quote
        ) as e
        where e.superseded_at <= v_clock.live_from
    )

    select
        row_number() over (order by c.series_no, c.bucket, c.known_at)::integer as moment_no,
        c.series_no,
        c.bucket,
        c.known_at,
        max(c.cause_rank) as cause_rank,
        lead(c.known_at, 1, 'infinity') over (
            partition by c.series_no, c.bucket order by c.known_at
        ) as next_known_at
    from change as c
    where c.known_at <= v_clock.live_from
    group by c.series_no, c.bucket, c.known_at;
    analyze moment;

    -- The bars' own values at each of them.
    create temp table event_trade on commit drop as
    select
        m.moment_no as tenant_id,
        t.symbol,
        t.ts,
        t.seq,
        t.price,
        t.size,
        t.side,
        t.known_at
    from moment as m
    inner join slice_trade as t
        on
            m.series_no = t.series_no
            and m.bucket = t.bucket
            and m.known_at >= t.known_at
            and m.known_at < t.superseded_at
    order by m.moment_no, t.ts, t.seq;
    create temp table event_quote on commit drop as
    select
        m.moment_no as tenant_id,
        q.symbol,
        q.ts,
        q.seq,
        q.bid,
        q.bid_size,
        q.ask,
        q.ask_size,
        q.known_at
    from moment as m
    inner join slice_quote as q
        on
            m.series_no = q.series_no
            and m.bucket = q.bucket
            and m.known_at >= q.known_at
            and m.known_at < q.superseded_at
    order by m.moment_no, q.ts, q.seq;
    analyze event_trade;
    analyze event_quote;
    perform feature.evaluate('own', jsonb_build_object(
        'trade', 'select * from pg_temp.event_trade', 'quote', 'select * from pg_temp.event_quote'
    ), 'select f.tenant_id, f.open, f.high, f.low, f.close, f.volume, f.vwap, f.spread_bps,
        f.order_imbalance
        from feature_1m as f');

    -- Closes are what windows read: where one changes after its bar has closed, a new epoch begins.
    create temp table bar_state on commit drop as
    select
        m.*,
        o.close,
        lag(o.close) over (partition by m.series_no, m.bucket order by m.known_at) as last_close
    from moment as m
    left join own as o on m.moment_no = o.tenant_id;
    create index on bar_state (series_no, bucket, known_at);
    analyze bar_state;

    -- Bars that are there at any knowledge time, numbered.
    create temp table stable on commit drop as
    select
        t.series_no,
        t.bucket,
        row_number() over (partition by t.series_no order by t.bucket) as place
    from slice_trade as t
    where t.known_at <= t.bucket + c_minute and t.superseded_at = 'infinity'
    group by t.series_no, t.bucket;
    create index on stable (series_no, bucket) include (place);
    create index on stable (series_no, place) include (bucket);
    analyze stable;

    create temp table disturbance on commit drop as
    select
        b.series_no,
        b.bucket,
        b.known_at,
        greatest(
            coalesce(n.bucket + v_reach.minutes * c_minute, 'infinity'),
            coalesce(l.bucket, 'infinity')
        ) as reached_to
    from bar_state as b
    left join lateral (
        select
            s.bucket,
            s.place
        from stable as s
        where s.series_no = b.series_no and s.bucket > b.bucket
        order by s.bucket
        limit 1
    ) as n on true
    left join stable as l on b.series_no = l.series_no and n.place + v_reach.bars = l.place
    where b.known_at > b.bucket + c_minute and b.close is distinct from b.last_close;

    create temp table epoch on commit drop as
    select
        row_number() over (order by e.series_no, e.starts)::integer as epoch_no,
        e.series_no,
        e.starts,
        lead(e.starts, 1, 'infinity') over (partition by e.series_no order by e.starts) as ends
    from (
        select distinct
            d.series_no,
            d.known_at as starts
        from disturbance as d
        union all
        select
            s.series_no,
            '-infinity'
        from slice as s
    ) as e;
    create index on epoch (series_no, starts);
    analyze epoch;

    -- What each epoch is asked: the bars that close in it, and those that its first moment reaches.
    create temp table epoch_output on commit drop as
    with closed_bar as (
        select distinct
            b.series_no,
            b.bucket
        from bar_state as b
        where b.bucket >= p_from
    )

    select
        e.epoch_no,
        c.series_no,
        c.bucket,
        c.bucket + c_minute as known_at
    from closed_bar as c
    cross join lateral (
        select o.epoch_no
        from epoch as o
        where o.series_no = c.series_no and o.starts <= c.bucket + c_minute
        order by o.starts desc
        limit 1
    ) as e
    union
    select
        e.epoch_no,
        c.series_no,
        c.bucket,
        d.known_at
    from disturbance as d
    inner join epoch as e on d.series_no = e.series_no and d.known_at = e.starts
    inner join closed_bar as c
        on
            d.series_no = c.series_no
            and d.bucket <= c.bucket
            and d.reached_to >= c.bucket
            and c.bucket + c_minute <= d.known_at;
    analyze epoch_output;

    create temp table span on commit drop as
    select
        o.epoch_no,
        e.series_no,
        e.ends,
        max(o.bucket) as span_to,
        coalesce(f.bucket, '-infinity') as span_from
    from (
        select
            p.epoch_no,
            min(p.bucket) as bucket_from,
            max(p.bucket) as bucket
        from epoch_output as p
        group by p.epoch_no
    ) as o
    inner join epoch as e on o.epoch_no = e.epoch_no
    left join lateral (
        select s.place
        from stable as s
        where
            s.series_no = e.series_no
            and s.bucket <= o.bucket_from - v_reach.minutes * c_minute
        order by s.bucket desc
        limit 1
    ) as n on true
    left join stable as f on e.series_no = f.series_no and n.place - v_reach.bars = f.place
    group by o.epoch_no, e.series_no, e.ends, f.bucket;
    analyze span;

    create temp table window_bar on commit drop as
    select
        s.epoch_no,
        b.bucket,
        b.close
    from span as s
    inner join bar_state as b
        on
            s.series_no = b.series_no
            and b.bucket between s.span_from and s.span_to
            and b.known_at < s.ends
            and b.next_known_at >= s.ends
    where b.close is not null;
    analyze window_bar;
    perform feature.evaluate('window_value', jsonb_build_object(
        'ohlc_1m',
        'select epoch_no as tenant_id, ''''::text as symbol, bucket, close as open, close as high, '
        'close as low, close, close as volume, close as notional, 1 as trades '
        'from pg_temp.window_bar',
        'flow_1m', 'select * from market.flow_1m where false',
        'quote_1m', 'select * from market.quote_1m where false'
    ), 'select f.tenant_id, f.bucket, f.sma_20, f.volatility_1h, f.regime_tag
        from feature_1m as f
        inner join (select distinct o.epoch_no, o.bucket from pg_temp.epoch_output as o) as o
            on o.epoch_no = f.tenant_id and o.bucket = f.bucket');

    -- One line per bar and moment: its own values and the windows as they were then.
    create temp table timeline on commit drop as
    with line as (
        select
            b.series_no,
            b.bucket,
            b.known_at,
            b.moment_no,
            null::integer as epoch_no,
            b.cause_rank
        from bar_state as b
        where b.bucket >= p_from
        union all
        select
            o.series_no,
            o.bucket,
            o.known_at,
            null,
            o.epoch_no,
            (
                select max(c.cause_rank)
                from bar_state as c
                where
                    c.series_no = o.series_no
                    and c.known_at = o.known_at
                    and c.bucket <= o.bucket
                    and c.known_at > c.bucket + c_minute
            )
        from epoch_output as o
    ),

    filled as (
        select
            l.series_no,
            l.bucket,
            l.known_at,
            -- both numbers grow with known_at
            max(max(l.moment_no)) over by_time as moment_no,
            max(max(l.epoch_no)) over by_time as epoch_no,
            coalesce(max(l.cause_rank), 1) as cause_rank
        from line as l
        group by l.series_no, l.bucket, l.known_at
        window by_time as (partition by l.series_no, l.bucket order by l.known_at)
    )

    select
        f.series_no,
        f.bucket,
        f.known_at,
        o.open,
        o.high,
        o.low,
        o.close,
        o.volume,
        o.vwap,
        case when o.close is not null then w.sma_20 end as sma_20,
        case when o.close is not null then w.volatility_1h end as volatility_1h,
        case when o.close is not null then w.regime_tag end as regime_tag,
        o.spread_bps,
        o.order_imbalance,
        f.cause_rank
    from filled as f
    left join own as o on f.moment_no = o.tenant_id
    left join window_value as w on f.epoch_no = w.tenant_id and f.bucket = w.bucket;
    analyze timeline;

    with compared as (
        select
            t.*,
            lag(t) over by_time as last,
            count(t.close) over (
                by_time rows between unbounded preceding and 1 preceding
            ) as versions_before
        from timeline as t
        window by_time as (partition by t.series_no, t.bucket order by t.known_at)
    )

    insert into feature.log (
        tenant_id, symbol, bucket, known_at, open, high, low, close, volume, vwap, sma_20,
        volatility_1h, regime_tag, spread_bps, order_imbalance, cause
    )
    select
        s.tenant_id, s.symbol, c.bucket, c.known_at, c.open, c.high, c.low, c.close, c.volume,
        c.vwap, c.sma_20, c.volatility_1h, c.regime_tag, c.spread_bps, c.order_imbalance,
        case when c.versions_before = 0 then 'close' else c_causes[c.cause_rank] end
    from compared as c
    inner join slice as s on c.series_no = s.series_no
    left join lateral (
        select min(l.known_at) as known_at
        from feature.log as l
        where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket = c.bucket
    ) as e on true
    where
        row(
            c.open, c.high, c.low, c.close, c.volume, c.vwap, c.sma_20, c.volatility_1h,
            c.regime_tag, c.spread_bps, c.order_imbalance
        ) is distinct from row(
            (c.last).open, (c.last).high, (c.last).low, (c.last).close, (c.last).volume,
            (c.last).vwap, (c.last).sma_20, (c.last).volatility_1h, (c.last).regime_tag,
            (c.last).spread_bps, (c.last).order_imbalance
        )
        -- what a bar's first version has said already stays said
        and (e.known_at is null or c.known_at < e.known_at)
    order by c.bucket, s.tenant_id, s.symbol, c.known_at;
    get diagnostics v_versions = row_count;

    insert into feature.series (symbol, tenant_id)
    select distinct
        s.symbol,
        s.tenant_id
    from slice as s
    inner join timeline as t on s.series_no = t.series_no
    where t.close is not null
    on conflict do nothing;

    -- A bar that was published before the history in front of it was built: its windows were short.
    insert into feature.changed_bar (
        tenant_id, symbol, bucket, cause, known_from, known_to, bars_before
    )
    select
        s.tenant_id, s.symbol, n.bucket, 'late', v_clock.live_from, v_clock.live_from, true
    from slice as s
    inner join (
        select
            t.series_no,
            max(t.bucket) as bucket
        from timeline as t
        where t.close is not null
        group by t.series_no
    ) as h on s.series_no = h.series_no
    cross join lateral (
        select l.bucket
        from feature.log as l
        where l.tenant_id = s.tenant_id and l.symbol = s.symbol and l.bucket > h.bucket
        order by l.bucket
        limit 1
    ) as n
    where v_versions > 0;
    return v_versions;
end
$$;
revoke all on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.backfill_slice(
    integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.backfill_slice(integer[], text[], timestamptz, timestamptz) is
'The versions of some series'' bars with bucket in [p_from, p_to), built from the ticks and '
'appended where a bar has none as early. p_tenant_ids, p_symbols: the series, element by element. '
'Returns how many were appended. Called by feature.backfill().';
