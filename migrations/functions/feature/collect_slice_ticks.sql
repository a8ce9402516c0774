create or replace function feature.collect_slice_ticks(
    p_from timestamptz, p_to timestamptz, p_live_from timestamptz
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_kind record;
begin
    for v_kind in
        select
            k.name,
            feature.tick_list(k.name, ', b.%I') as vals,
            -- of quotes any bar has its spread; what makes no bar counts for nothing
            case k.name when 'quote' then p_from else 'infinity' end as otherwise
        from unnest(market.tick_kinds()) as k (name)
    loop
        -- sought by the key, series by series (offset 0): joined as a whole, all ticks would be read
        execute format(
            $q$
                create temp table slice_%1$s on commit drop as
                select
                    s.series_no,
                    s.symbol,
                    date_bin(interval '1 minute', t.ts, timestamptz '2000-01-01 00:00:00+00') as bucket,
                    t.*
                from slice as s
                cross join lateral (
                    select b.ts, b.seq%2$s, b.known_at, b.superseded_at, b.cause
                    from market.%1$s_belief as b
                    where
                        b.tenant_id = s.tenant_id
                        and b.symbol = s.symbol
                        and b.ts >= case s.bars_from when %1$L then s.context_from else $1 end
                        and b.ts < $2
                        and b.known_at <= $3
                    offset 0
                ) as t
            $q$,
            v_kind.name, v_kind.vals
        ) using v_kind.otherwise, p_to, p_live_from;
        execute format('analyze slice_%s', v_kind.name);
    end loop;
end
$$;
revoke all on function feature.collect_slice_ticks(
    timestamptz, timestamptz, timestamptz
) from public;
comment on function feature.collect_slice_ticks(timestamptz, timestamptz, timestamptz) is
'Makes the temporary tables slice_trade, slice_quote and slice_bar: every belief about a tick of '
'the series in slice that was known by p_live_from, with its bucket, from when (known_at) and to '
'when (superseded_at) it was held and what ended it (cause). What its bars are made of from the '
'slice''s context_from, quotes else from p_from, others else not at all; to before p_to. Step of '
'feature.backfill_slice().';
