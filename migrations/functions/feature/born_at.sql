create or replace function feature.born_at(p_set text) returns timestamptz
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    -- declare_history() moves what the first set takes for history
    select
        case
            when p_set = 'market_1m' then c.live_from
            else greatest(
                c.live_from,
                (
                    select min(b.born_at)
                    from feature.birth as b
                    where b.feature_set = p_set and b.ended_at is null
                )
            )
        end
    from feature.clock as c
$$;
revoke all on function feature.born_at(text) from public;
comment on function feature.born_at(text) is
'Since when the set p_set is published: what was known by then is history, for feature.backfill().';
