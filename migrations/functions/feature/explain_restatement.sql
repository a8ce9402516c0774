create or replace function feature.explain_restatement(
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
grant execute on function feature.explain_restatement(text, timestamptz, integer)
to market_reader;
comment on function feature.explain_restatement(text, timestamptz, integer) is
'The versions of a bar and why they came. p_symbol, p_bucket: the bar, by its start. p_tenant_id: '
'default the one tenant that has the symbol. Columns: version from 1; known_at; cause (see '
'feature.log); changes, field -> {was, is}; events, an array of the ticks behind it: kind (trade '
'or quote), action (new, correction, cancel), bucket, ts, seq, was and tick (its values before '
'and after), known_at, and the Kafka topic, partition and offset of the message. Both are NULL '
'for the first version. Events of earlier bars appear where windows read them. No version, no '
'rows. Errors: 22004 for NULL, 22023 when p_bucket is no whole minute, 42P08 when several tenants '
'have the symbol, 42P01 when "dbt run" has not made the models.';
