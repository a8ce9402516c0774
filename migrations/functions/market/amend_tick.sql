create or replace function market.amend_tick(p_kind text, p_values text, p_ordinal bigint)
returns text
language plpgsql volatile
-- security invoker: it reads the temporary table of the caller
set search_path = pg_catalog, pg_temp
as $$
declare
    c_key constant text := 'tenant_id, symbol, ts, seq';
    c_source constant text := 'known_at, source_topic, source_partition, source_offset';
    v_columns constant text := concat_ws(', ', c_key, p_values, c_source);
    v_outcome text;
begin
    execute format(
        $q$
            with event as (
                select * from pg_temp.%3$I where ordinal = $1
            ),

            replaced as (
                delete from market.%1$I as t
                using event as e
                where
                    (t.tenant_id, t.symbol, t.ts, t.seq) = (e.tenant_id, e.symbol, e.ts, e.seq)
                    -- inserted just above although it was sent after this event
                    and not coalesce(
                        t.source_topic = e.source_topic
                        and t.source_partition = e.source_partition
                        and t.source_offset > e.source_offset, false
                    )
                    -- said again: the same values, known at the same moment
                    and not (
                        e.action = 'correction'
                        and row(t.known_at, %6$s) is not distinct from row(e.known_at, %7$s)
                    )
                returning t.*
            ),

            kept as (
                insert into market.%4$I (
                    %2$s, superseded_at, cause,
                    superseded_topic, superseded_partition, superseded_offset
                )
                select
                    %8$s,
                    greatest(r.known_at, e.known_at),
                    e.action,
                    e.source_topic,
                    e.source_partition,
                    e.source_offset
                from replaced as r
                cross join event as e
                returning superseded_at
            )

            select case
                when exists (select from kept) then 'applied'
                when e.action = 'correction' and exists (
                    select from market.%1$I as t
                    where
                        (t.tenant_id, t.symbol, t.ts, t.seq)
                        = (e.tenant_id, e.symbol, e.ts, e.seq)
                        and row(t.known_at, %6$s) is not distinct from row(e.known_at, %7$s)
                ) then 'duplicate'
                when e.action = 'cancel' and exists (
                    select from market.%4$I as s
                    where
                        (s.tenant_id, s.symbol, s.ts, s.seq)
                        = (e.tenant_id, e.symbol, e.ts, e.seq)
                        and s.cause = 'cancel'
                ) then 'duplicate'
                else 'unknown_%1$s'
            end
            from event as e
        $q$,
        p_kind, v_columns, 'incoming_' || p_kind, p_kind || '_superseded', c_key,
        't.' || replace(p_values, ', ', ', t.'), 'e.' || replace(p_values, ', ', ', e.'),
        'r.' || replace(v_columns, ', ', ', r.')
    ) into v_outcome using p_ordinal;

    if v_outcome = 'applied' then
        -- knowledge never runs backwards, even where a capture clock does
        execute format(
            $q$
                insert into market.%1$I (%2$s)
                select
                    %3$s,
                    greatest(e.known_at, s.superseded_at),
                    e.source_topic,
                    e.source_partition,
                    e.source_offset
                from pg_temp.%4$I as e
                cross join lateral (
                    select max(p.superseded_at) as superseded_at
                    from market.%5$I as p
                    where
                        (p.tenant_id, p.symbol, p.ts, p.seq)
                        = (e.tenant_id, e.symbol, e.ts, e.seq)
                ) as s
                where e.ordinal = $1 and e.action = 'correction'
            $q$,
            p_kind, v_columns,
            'e.' || replace(concat_ws(', ', c_key, p_values), ', ', ', e.'),
            'incoming_' || p_kind, p_kind || '_superseded'
        ) using p_ordinal;
    end if;
    return v_outcome;
end
$$;
revoke all on function market.amend_tick(text, text, bigint) from public;
grant execute on function market.amend_tick(text, text, bigint) to market_ingest;
comment on function market.amend_tick(text, text, bigint) is
'Applies the correction or cancel p_ordinal of the caller''s temporary table incoming_<p_kind>: '
'moves the version that it replaces to market.<p_kind>_superseded, and inserts a correction''s '
'own. Returns applied, duplicate or unknown_<p_kind>. p_kind, p_values as of '
'market.apply_ticks().';
