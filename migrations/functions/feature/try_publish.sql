-- depends: functions/feature/publish_set functions/feature/take_changed_bars
--   functions/feature/take_stamp
create or replace function feature.try_publish() returns table (
    feature_set text, series bigint, seconds double precision
)
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
set enable_sort = off
set enable_bitmapscan = off
as $$
declare
    v_clock feature.clock;
    v_set text;
    v_started timestamptz;
    v_sets text[] := '{}';
    v_series bigint := (select count(*) from feature.series);
    v_seconds double precision[] := '{}';
begin
    begin
        v_clock := feature.take_stamp(null);
        perform set_config('feature.moment', v_clock.published_at::text, true);
        perform feature.drop_steps();
        insert into feature.changed_bar (
            tenant_id, symbol, bucket, cause, known_from, known_to, bars_before, kind
        )
        select
            s.tenant_id, s.symbol, l.bucket, 'late', v_clock.published_at, v_clock.published_at,
            true, market.bars_from(s.symbol)
        from feature.series as s
        cross join lateral (
            select v.bucket
            from feature.log as v
            where v.tenant_id = s.tenant_id and v.symbol = s.symbol
            order by v.bucket desc
            limit 1
        ) as l;
        perform feature.take_changed_bars(v_clock);
        perform feature.collect_changed_ticks(v_clock.published_at);
        -- longer bars: those that the last minutes lie in, as if they closed now
        update feature.waiting_bar as w set closes_at = v_clock.published_at
        where w.closes_at > v_clock.published_at;
        for v_set in select p.feature_set from feature.published_set() as p order by p.place loop
            v_started := clock_timestamp();
            perform feature.publish_set(v_set, v_clock.published_at);
            v_sets := v_sets || v_set;
            v_seconds := v_seconds || extract(epoch from clock_timestamp() - v_started)::double precision;
        end loop;
        -- nothing of it stays but what it took
        raise sqlstate 'FR001' using message = 'tried';
    exception
        when sqlstate 'FR001' then null;
    end;
    return query
    select
        t.name,
        v_series,
        t.took
    from unnest(v_sets, v_seconds) as t (name, took);
end
$$;
revoke all on function feature.try_publish() from public;
grant execute on function feature.try_publish() to market_deploy;
comment on function feature.try_publish() is
'What a publish of the last bar of every series takes: per set (feature_set) how many series there '
'are and seconds, without the time of reading ticks. Nothing of what it publishes stays. For make '
'feature-check.';
