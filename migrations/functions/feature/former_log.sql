-- depends: functions/feature/name_of
create or replace function feature.former_log(
    p_set text, p_generation integer, out log text, out known_to timestamptz
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    c_log constant text := format('feature.%I', feature.name_of(p_set, 'log') || '_g' || p_generation);
    c_last constant integer := (
        select max(g.generation) from feature.generation as g where g.feature_set = p_set
    );
    v_missing text;
begin
    if p_generation is null or p_generation not between 1 and c_last then
        raise exception 'set % has no generation %', p_set, p_generation
            using errcode = 'undefined_object',
            hint = format('It has 1 to %s, of which %s is in use.', c_last, c_last);
    elsif p_generation = c_last then
        return;
    end if;
    select g.switched_at
    into strict known_to
    from feature.generation as g
    where g.feature_set = p_set and g.generation = p_generation + 1;
    -- a field that came later had no value then
    select string_agg(format(', null::%s as %I', c.data_type, c.field), '' order by c.ordinal)
    into v_missing
    from market.contract as c
    where c.feature_set = p_set and not exists (
        select from pg_attribute as a
        where a.attrelid = c_log::regclass and c.field = a.attname and not a.attisdropped
    );
    log := case
        when v_missing is null then c_log
        else format('(select g.*%s from %s as g)', v_missing, c_log)
    end;
end
$$;
revoke all on function feature.former_log(text, integer) from public;
comment on function feature.former_log(text, integer) is
'The generation p_generation of the log of the set p_set: what is read in place of a table (log), '
'with all fields that the set has now, and the moment from which it says nothing more (known_to). '
'NULL: it is the one in use. Errors: 42704 for a generation that there is not.';
