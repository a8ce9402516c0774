-- depends: 0019_create_publish 0021_create_pit_snapshot
-- purpose: digest of a snapshot, what a join by event time would leak, why a bar was restated
-- lock: none
do $$
begin
    if not has_schema_privilege('market_owner', 'public', 'create') then
        grant create on schema public to market_owner;
    end if;
end
$$;
set local role market_owner;

create function public.feature_pit_hash(
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    -- Lengths before texts, big-endian numbers, a byte for NULL: no two sets give the same bytes.
    -- Adding 0 makes -0 and 0 one value.
    select encode(sha256(coalesce(string_agg(
        int4send(octet_length(s.symbol))
        || convert_to(s.symbol, 'UTF8')
        || timestamptz_send(s.as_of)
        || coalesce('\x01'::bytea || float8send(s.open + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.high + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.low + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.close + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.volume + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.vwap + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.sma_20 + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.volatility_1h + 0), '\x00')
        || coalesce(
            int4send(octet_length(s.regime_tag)) || convert_to(s.regime_tag, 'UTF8'), '\xffffffff'
        )
        || coalesce('\x01'::bytea || float8send(s.spread_bps + 0), '\x00')
        || coalesce('\x01'::bytea || float8send(s.order_imbalance + 0), '\x00'),
        ''::bytea order by s.place
    ), ''::bytea)), 'hex')
    from public.feature_pit_snapshot(p_symbols, p_as_of, p_known_as_of, p_tenant_id)
        with ordinality as s (
            symbol, as_of, known_as_of, bucket, known_at, open, high, low, close, volume, vwap,
            sma_20, volatility_1h, regime_tag, spread_bps, order_imbalance, is_stale, place
        )
$$;
revoke all on function public.feature_pit_hash(
    text[], timestamptz[], timestamptz[], integer
) from public;
comment on function public.feature_pit_hash(
    text[], timestamptz[], timestamptz[], integer
) is
'SHA-256, in hex, of what public.feature_pit_snapshot() returns for the same arguments: its '
'symbols, as_of and eleven fields, in order. Equal if and only if these are, on any engine; when '
'a value became known is not part of it, so that a rebuilt log can be checked against the one it '
'replaces. Arguments and errors: as there.';

create function public.feature_pit_hash(
    p_symbols text[],
    p_as_of timestamptz,
    p_known_as_of timestamptz default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select public.feature_pit_hash(
        p_symbols,
        array_fill(p_as_of, array[coalesce(cardinality(p_symbols), 0)]),
        case
            when p_known_as_of is not null
                then array_fill(p_known_as_of, array[coalesce(cardinality(p_symbols), 0)])
        end,
        p_tenant_id
    )
$$;
revoke all on function public.feature_pit_hash(
    text[], timestamptz, timestamptz, integer
) from public;
comment on function public.feature_pit_hash(text[], timestamptz, timestamptz, integer) is
'The same for several symbols at one moment: see the form with arrays.';

create function public.feature_pit_hash(
    p_symbols text[],
    p_as_of text,
    p_known_as_of text default null,
    p_tenant_id integer default null
) returns text
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    select public.feature_pit_hash(
        p_symbols, p_as_of::timestamptz, p_known_as_of::timestamptz, p_tenant_id
    )
$$;
revoke all on function public.feature_pit_hash(text[], text, text, integer) from public;
comment on function public.feature_pit_hash(text[], text, text, integer) is
'The same for a moment written as a plain literal: see the form with arrays.';

create function feature.leakage(
    p_symbols text[], p_as_of timestamptz[], p_tenant_id integer default null
) returns table (
    field text,
    training_rows bigint,
    leaked_rows bigint,
    leaked_share double precision,
    mean_abs_change double precision,
    max_abs_change double precision
)
language sql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
as $$
    with pair as (
        select
            k.*,
            e.open as later_open,
            e.high as later_high,
            e.low as later_low,
            e.close as later_close,
            e.volume as later_volume,
            e.vwap as later_vwap,
            e.sma_20 as later_sma_20,
            e.volatility_1h as later_volatility_1h,
            e.regime_tag as later_regime_tag,
            e.spread_bps as later_spread_bps,
            e.order_imbalance as later_order_imbalance
        from rows from (
            public.feature_pit_snapshot(p_symbols, p_as_of, null::timestamptz[], p_tenant_id)
        ) with ordinality as k (
            symbol, as_of, known_as_of, bucket, known_at, open, high, low, close, volume, vwap,
            sma_20, volatility_1h, regime_tag, spread_bps, order_imbalance, is_stale, place
        )
        -- by event time alone: the latest closed bar, with all that became known of it since
        inner join rows from (
            public.feature_pit_snapshot(
                p_symbols,
                p_as_of,
                array_fill(now(), array[coalesce(cardinality(p_symbols), 0)]),
                p_tenant_id
            )
        ) with ordinality as e (
            symbol, as_of, known_as_of, bucket, known_at, open, high, low, close, volume, vwap,
            sma_20, volatility_1h, regime_tag, spread_bps, order_imbalance, is_stale, place
        ) on k.place = e.place
    ),

    compared as (
        select
            f.ordinal,
            f.field,
            f.known is distinct from f.later
            or f.known_tag is distinct from f.later_tag as is_leaked,
            abs(f.later - f.known) as change
        from pair as p
        cross join lateral (
            values
            (1, 'open', p.open, p.later_open, null, null),
            (2, 'high', p.high, p.later_high, null, null),
            (3, 'low', p.low, p.later_low, null, null),
            (4, 'close', p.close, p.later_close, null, null),
            (5, 'volume', p.volume, p.later_volume, null, null),
            (6, 'vwap', p.vwap, p.later_vwap, null, null),
            (7, 'sma_20', p.sma_20, p.later_sma_20, null, null),
            (8, 'volatility_1h', p.volatility_1h, p.later_volatility_1h, null, null),
            (9, 'regime_tag', null, null, p.regime_tag, p.later_regime_tag),
            (10, 'spread_bps', p.spread_bps, p.later_spread_bps, null, null),
            (11, 'order_imbalance', p.order_imbalance, p.later_order_imbalance, null, null)
        ) as f (ordinal, field, known, later, known_tag, later_tag)
        union all
        select
            0,
            'any',
            row(
                p.open, p.high, p.low, p.close, p.volume, p.vwap, p.sma_20, p.volatility_1h,
                p.regime_tag, p.spread_bps, p.order_imbalance
            ) is distinct from row(
                p.later_open, p.later_high, p.later_low, p.later_close, p.later_volume,
                p.later_vwap, p.later_sma_20, p.later_volatility_1h, p.later_regime_tag,
                p.later_spread_bps, p.later_order_imbalance
            ),
            null
        from pair as p
    )

    select
        c.field,
        count(*),
        count(*) filter (where c.is_leaked),
        count(*) filter (where c.is_leaked)::double precision / count(*),
        avg(c.change) filter (where c.is_leaked),
        max(c.change) filter (where c.is_leaked)
    from compared as c
    group by c.ordinal, c.field
    order by c.ordinal
$$;
revoke all on function feature.leakage(text[], timestamptz[], integer) from public;
comment on function feature.leakage(text[], timestamptz[], integer) is
'What a join by event time alone would have leaked into a training set: it takes the latest '
'closed bar as it stands today, this function compares that with what was known at as_of. '
'p_symbols, p_as_of, p_tenant_id: as of public.feature_pit_snapshot(). One row per field in the '
'contract''s order, after one for "any". Columns: training_rows; leaked_rows, whose value '
'differs; leaked_share, their fraction; mean_abs_change and max_abs_change of the leaked rows '
'with both values, in the field''s unit, NULL for text. No pairs, no rows. Errors: as there.';

create function feature.explain_restatement(
    p_symbol text, p_bucket timestamptz, p_tenant_id integer default null
) returns table (
    version bigint,
    known_at timestamptz,
    cause text,
    changes jsonb,
    events jsonb
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    c_minute constant interval := interval '1 minute';
    c_origin constant timestamptz := timestamptz '2000-01-01 00:00:00+00';
    v_tenant_ids integer[];
    v_reach record;
    v_reach_from timestamptz;
begin
    if p_symbol is null or p_bucket is null then
        raise exception 'p_symbol and p_bucket must not be NULL'
            using errcode = 'null_value_not_allowed', hint = 'Name one bar.';
    elsif p_bucket <> date_bin(c_minute, p_bucket, c_origin) then
        raise exception '% is not the start of a bar', p_bucket
            using errcode = 'invalid_parameter_value', hint = 'Give a whole minute.';
    end if;
    v_tenant_ids := array(
        select s.tenant_id
        from feature.series as s
        where s.symbol = p_symbol and s.tenant_id = coalesce(p_tenant_id, s.tenant_id)
        order by s.tenant_id
    );
    if cardinality(v_tenant_ids) > 1 then
        raise exception '% is held by the tenants %', p_symbol,
            array_to_string(v_tenant_ids, ', ')
            using errcode = 'ambiguous_parameter', hint = 'Pass p_tenant_id.';
    end if;

    -- The bars that this one's windows read, as far back as they can lie.
    v_reach := feature.reach();
    select min(b.bucket)
    into v_reach_from
    from (
        select distinct on (l.bucket)
            l.bucket,
            l.close
        from feature.log as l
        where
            l.tenant_id = v_tenant_ids[1]
            and l.symbol = p_symbol
            and l.bucket <= p_bucket - v_reach.minutes * c_minute
        order by l.bucket desc, l.known_at desc
        limit v_reach.bars + 1
    ) as b;
    v_reach_from := coalesce(v_reach_from, p_bucket - v_reach.minutes * c_minute);

    return query
    with published as (
        select
            l.*,
            row_number() over by_time as version,
            lag(to_jsonb(l)) over by_time as last
        from feature.log as l
        where l.tenant_id = v_tenant_ids[1] and l.symbol = p_symbol and l.bucket = p_bucket
        window by_time as (order by l.known_at)
    ),

    belief as (
        select
            'trade' as kind,
            b.ts,
            b.seq,
            jsonb_build_object('price', b.price, 'size', b.size, 'side', b.side) as tick,
            b.known_at,
            b.source_topic,
            b.source_partition,
            b.source_offset,
            b.superseded_at,
            b.cause,
            b.superseded_topic,
            b.superseded_partition,
            b.superseded_offset
        from (
            select
                t.ts, t.seq, t.price, t.size, t.side, t.known_at, t.source_topic,
                t.source_partition, t.source_offset, null::timestamptz as superseded_at,
                null::text as cause, null::text as superseded_topic,
                null::integer as superseded_partition, null::bigint as superseded_offset
            from market.trade as t
            where
                t.tenant_id = v_tenant_ids[1]
                and t.symbol = p_symbol
                and t.ts >= v_reach_from
                and t.ts < p_bucket + c_minute
            union all
            select
                t.ts, t.seq, t.price, t.size, t.side, t.known_at, t.source_topic,
                t.source_partition, t.source_offset, t.superseded_at, t.cause, t.superseded_topic,
                t.superseded_partition, t.superseded_offset
            from market.trade_superseded as t
            where
                t.tenant_id = v_tenant_ids[1]
                and t.symbol = p_symbol
                and t.ts >= v_reach_from
                and t.ts < p_bucket + c_minute
        ) as b
        union all
        select
            'quote',
            b.ts,
            b.seq,
            jsonb_build_object(
                'bid', b.bid, 'bid_size', b.bid_size, 'ask', b.ask, 'ask_size', b.ask_size
            ),
            b.known_at,
            b.source_topic,
            b.source_partition,
            b.source_offset,
            b.superseded_at,
            b.cause,
            b.superseded_topic,
            b.superseded_partition,
            b.superseded_offset
        from (
            select
                q.ts, q.seq, q.bid, q.bid_size, q.ask, q.ask_size, q.known_at, q.source_topic,
                q.source_partition, q.source_offset, null::timestamptz as superseded_at,
                null::text as cause, null::text as superseded_topic,
                null::integer as superseded_partition, null::bigint as superseded_offset
            from market.quote as q
            where
                q.tenant_id = v_tenant_ids[1]
                and q.symbol = p_symbol
                and q.ts >= p_bucket
                and q.ts < p_bucket + c_minute
            union all
            select
                q.ts, q.seq, q.bid, q.bid_size, q.ask, q.ask_size, q.known_at, q.source_topic,
                q.source_partition, q.source_offset, q.superseded_at, q.cause, q.superseded_topic,
                q.superseded_partition, q.superseded_offset
            from market.quote_superseded as q
            where
                q.tenant_id = v_tenant_ids[1]
                and q.symbol = p_symbol
                and q.ts >= p_bucket
                and q.ts < p_bucket + c_minute
        ) as b
    ),

    event as (
        -- a belief that replaces another belongs to the correction
        select
            b.kind,
            'new' as action,
            date_bin(c_minute, b.ts, c_origin) as bucket,
            b.ts,
            b.seq,
            null::jsonb as was,
            b.tick,
            b.known_at,
            b.source_topic as topic,
            b.source_partition as "partition",
            b.source_offset as "offset"
        from belief as b
        where not exists (
            select from belief as o
            where
                (o.kind, o.ts, o.seq) = (b.kind, b.ts, b.seq)
                and o.superseded_at = b.known_at
                and o.cause = 'correction'
        )
        union all
        select
            b.kind,
            b.cause,
            date_bin(c_minute, b.ts, c_origin),
            b.ts,
            b.seq,
            b.tick,
            r.tick,
            b.superseded_at,
            b.superseded_topic,
            b.superseded_partition,
            b.superseded_offset
        from belief as b
        left join belief as r
            on
                b.cause = 'correction'
                and (b.kind, b.ts, b.seq, b.superseded_at) = (r.kind, r.ts, r.seq, r.known_at)
        where b.superseded_at is not null
    )

    select
        p.version,
        p.known_at,
        p.cause,
        case
            when p.version > 1 then (
                select jsonb_object_agg(
                    c.field,
                    jsonb_build_object('was', p.last -> c.field, 'is', to_jsonb(p) -> c.field)
                    order by c.ordinal
                )
                from market.contract as c
                where p.last -> c.field is distinct from to_jsonb(p) -> c.field
            )
        end,
        case
            when p.version > 1 then (
                select jsonb_agg(
                    to_jsonb(e) order by e.known_at, e.bucket, e.ts, e.seq
                )
                from event as e
                where
                    greatest(e.known_at, e.bucket + c_minute) = p.known_at
                    or exists (
                        select from feature.restatement as r
                        where
                            r.tenant_id = p.tenant_id
                            and r.symbol = p.symbol
                            and r.bucket = e.bucket
                            and r.known_at = p.known_at
                            and e.known_at between r.known_from and r.known_to
                    )
            )
        end
    from published as p
    order by p.version;
end
$$;
revoke all on function feature.explain_restatement(text, timestamptz, integer) from public;
comment on function feature.explain_restatement(text, timestamptz, integer) is
'The versions of a bar and why they came. p_symbol, p_bucket: the bar, by its start. p_tenant_id: '
'default the one tenant that has the symbol. Columns: version from 1; known_at; cause (see '
'feature.log); changes, field -> {was, is}; events, an array of the ticks behind it: kind (trade '
'or quote), action (new, correction, cancel), bucket, ts, seq, was and tick (its values before '
'and after), known_at, and the Kafka topic, partition and offset of the message. Both are NULL '
'for the first version. Events of earlier bars appear where windows read them. No version, no '
'rows. Errors: 22004 for NULL, 22023 when p_bucket is no whole minute, 42P08 when several tenants '
'have the symbol, 42P01 when "dbt run" has not made the models.';

reset role;
revoke create on schema public from market_owner;
