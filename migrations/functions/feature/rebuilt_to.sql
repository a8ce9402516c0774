create or replace function feature.rebuilt_to(p_set text) returns timestamptz
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select case
            when p_set = any(string_to_array(current_setting('feature.rebuild', true), ','))
                then (select r.known_to from feature.rebuild_run as r)
            else coalesce(
                (
                    select g.switched_at
                    from feature.generation as g
                    where g.feature_set = p_set
                    order by g.generation desc
                    limit 1
                ),
                '-infinity'
            )
        end
    );
end
$$;
revoke all on function feature.rebuilt_to(text) from public;
comment on function feature.rebuilt_to(text) is
'Up to when the log of the set p_set, or the one that feature.rebuild() is making, has all that '
'was known as history, with the moments of its ticks; -infinity: it was never rebuilt.';
