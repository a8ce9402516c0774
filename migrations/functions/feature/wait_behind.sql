-- depends: functions/feature/published_of
create or replace function feature.wait_behind(
    p_set text, p_born_at timestamptz, p_field text default null
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_first constant boolean := p_set = 'market_1m';
    -- Of the bars within this history each, of those behind it the first, which takes along the
    -- others.
    c_bar constant text := $q$
        select s.tenant_id, s.symbol, s.bars_from, n.bucket, n.closes_at
        from slice as s
        inner join (
            select
                t.series_no,
                min(t.bucket) as first,
                max(t.bucket) as last
            from timeline as t
            where t.is_there
            group by t.series_no
        ) as h on s.series_no = h.series_no
        cross join lateral (
            (
                select l.bucket, max(%2$s) as closes_at
                from %1$s as l
                where
                    l.tenant_id = s.tenant_id
                    and l.symbol = s.symbol
                    and l.bucket >= h.first
                    and l.bucket <= h.last
                    -- before the first there was no history
                    and (l.bucket > h.first or $3 is not null)
                group by l.bucket
                having
                    max(l.known_at) > $1
                    -- it changed since, and the new value was as NULL as the old one
                    or $3 is not null
                    and exists (
                        select from feature.restatement as r
                        where
                            r.tenant_id = s.tenant_id
                            and r.symbol = s.symbol
                            and r.bucket >= l.bucket
                            and r.bucket < max(%2$s)
                            and r.known_at > $1
                    )
            )
            union all
            (
                select l.bucket, %2$s
                from %1$s as l
                where
                    l.tenant_id = s.tenant_id
                    and l.symbol = s.symbol
                    and l.bucket > h.last
                    and %2$s is not null
                order by l.bucket
                limit 1
            )
        ) as n
        where
            n.closes_at is not null
            -- comes with its own history
            and not exists (
                select from feature.waiting_field as w
                where
                    w.feature_set = $2
                    and w.tenant_id = s.tenant_id
                    and w.symbol = s.symbol
                    and w.field = $3
                    and w.buckets @> n.bucket
                    and n.bucket > h.last
            )
    $q$;
begin
    execute format(
        case
            when c_first then
                'insert into feature.changed_bar ('
                'tenant_id, symbol, bucket, cause, known_from, known_to, bars_before, kind) '
                'select b.tenant_id, b.symbol, b.bucket, ''late'', $1, $1, true, b.bars_from '
                'from (%s) as b'
            else
                'insert into feature.waiting_bar ('
                'feature_set, tenant_id, symbol, bucket, closes_at, cause, bars_before) '
                'select $2, b.tenant_id, b.symbol, b.bucket, b.closes_at, ''late'', true '
                'from (%s) as b '
                'on conflict (feature_set, tenant_id, symbol, bucket) do update '
                'set bars_before = true'
        end,
        format(
            c_bar, (feature.published_of(p_set)).log,
            case when c_first then 'l.bucket + interval ''1 minute''' else 'l.closes_at' end
        )
    ) using p_born_at, p_set, p_field;
end
$$;
revoke all on function feature.wait_behind(text, timestamptz, text) from public;
comment on function feature.wait_behind(text, timestamptz, text) is
'Queues the bars of the set p_set within the history that was just built, and the first one behind '
'it, that were published after p_born_at: their windows were short. Of market_1m in '
'feature.changed_bar, of others in feature.waiting_bar. p_field: where that alone was built, also '
'those whose ticks changed since, and bars behind it that wait for it themselves are left out. '
'Step of feature.append_history() and feature.fill_slice().';
