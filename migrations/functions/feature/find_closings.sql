-- depends: functions/feature/published_of functions/feature/rebuilt_to functions/feature/sets_read
create or replace function feature.find_closings(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    -- what was known by then has the moments of its ticks
    c_history_to constant timestamptz := (
        select greatest(c.live_from, min(feature.rebuilt_to(r.name)))
        from feature.clock as c
        cross join unnest(
            nullif((feature.published_of(p_set)).made_of, 'tick') || feature.sets_read(p_set)
        ) as r (name)
        where r.name is not null
        group by c.live_from
    );
    v_sources text;
begin
    select string_agg(
        format(
            'select s.series_no, s.known_at, s.%I as bucket, %s as closes_at from %I as s',
            case when t.name = 'slice_minute' then 'bar' else 'bucket' end,
            case
                when t.name = 'slice_minute' then 's.closes_at'
                else 's.bucket + (feature.published_of($1)).span'
            end,
            t.name
        ), ' union all '
    )
    into v_sources
    from (
        select 'slice_minute' as name where to_regclass('pg_temp.slice_minute') is not null
        union all
        select 'slice_read_' || r.name from unnest(feature.sets_read(p_set)) as r (name)
    ) as t;
    if v_sources is null then
        return;
    end if;
    execute format(
        $q$
            create temp table closing on commit drop as
            with source as materialized (
                %s
            ),

            stamp as materialized (
                select distinct s.known_at
                from source as s
                where s.known_at > $2
            ),

            bar as (
                select
                    s.series_no,
                    s.bucket,
                    max(s.closes_at) as closes_at
                from source as s
                group by s.series_no, s.bucket
            ),

            -- the next stamp after each close, in one pass over both
            line as (
                select b.closes_at as moment, null::timestamptz as stamp from bar as b
                union
                select t.known_at, t.known_at from stamp as t
            ),

            next as (
                select
                    l.moment,
                    min(l.stamp) over (
                        order by l.moment desc rows between unbounded preceding and current row
                    ) as stamp
                from line as l
            )

            select
                b.series_no,
                b.bucket,
                -- a stamp at which nothing that it reads got a version left one in its own log alone
                least(
                    case
                        when b.closes_at <= $2 then b.closes_at
                        else coalesce(min(n.stamp), b.closes_at)
                    end,
                    (
                        select min(l.known_at)
                        from %s as l
                        where
                            l.tenant_id = s.tenant_id
                            and l.symbol = s.symbol
                            and l.bucket = b.bucket
                    )
                ) as closed_at
            from bar as b
            inner join slice as s on b.series_no = s.series_no
            inner join next as n on b.closes_at = n.moment
            group by b.series_no, b.bucket, b.closes_at, s.tenant_id, s.symbol
        $q$,
        v_sources, (feature.published_of(p_set)).log
    ) using p_set, c_history_to;
    create index on closing (series_no, bucket);
    analyze closing;
end
$$;
revoke all on function feature.find_closings(text) from public;
comment on function feature.find_closings(text) is
'Makes the temporary table closing, where the set p_set reads logs: when a bar could first be '
'known (closed_at): with its close in history, with the next publish after it since, no later than '
'its first version. Step of feature.backfill_slice().';
