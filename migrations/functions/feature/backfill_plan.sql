-- depends: functions/feature/first_field_wait functions/feature/history_waits
--   functions/feature/sets_behind functions/feature/sets_read
create or replace function feature.backfill_plan(
    p_set text, p_from timestamptz, p_to timestamptz
) returns table (feature_set text, is_derived boolean, length interval)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if p_set is not null and not exists (
        select from feature.published_set() as s where s.feature_set = p_set
    ) then
        raise exception 'no set % is published', p_set
            using errcode = 'undefined_object',
            hint = 'They are: ' || (
                select string_agg(s.feature_set, ', ' order by s.place)
                from feature.published_set() as s
            ) || '.';
    end if;
    return query
    select
        s.feature_set,
        s.made_of <> 'tick' or cardinality(feature.sets_read(s.feature_set)) > 0,
        -- about as much to read each
        case
            when s.made_of = 'tick' then interval '1 day'
            when s.span is null then interval '90 days'
            else s.span * 400
        end
    from feature.published_set() as s
    where
        s.feature_set = coalesce(p_set, s.feature_set)
        -- what it reads first, where that is still to be built
        or s.feature_set = 'market_1m'
        and exists (
            select from feature.history_waits() as h
            where
                h.first_day <= (p_to at time zone 'UTC')::date
                and h.last_day >= (p_from at time zone 'UTC')::date
        )
        or s.feature_set = any(feature.sets_behind(p_set))
        and feature.first_field_wait(s.feature_set, p_from, p_to) is not null
    order by s.place;
end
$$;
revoke all on function feature.backfill_plan(text, timestamptz, timestamptz) from public;
grant execute on function feature.backfill_plan(text, timestamptz, timestamptz) to market_operator;
comment on function feature.backfill_plan(text, timestamptz, timestamptz) is
'Which sets feature.backfill() builds, in this order: p_set, NULL: all, and what it reads where '
'history of it waits; whether they read other sets (is_derived), and how long a slice of theirs is '
'(length). Errors: 42704 for a set that is not published.';
