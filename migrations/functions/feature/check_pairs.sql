create or replace function feature.check_pairs(
    p_symbols text[], p_as_of timestamptz[], p_known_as_of timestamptz[]
) returns void
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- clients have no dates before it, and PostgreSQL none a month before its own first
    c_first constant timestamptz := timestamptz '0001-01-01 00:00:00+00';
    v_problem text;
    v_earliest timestamptz;
    v_latest timestamptz;
begin
    if p_symbols is null or p_as_of is null then
        raise exception 'p_symbols and p_as_of must not be NULL'
            using errcode = 'null_value_not_allowed',
            hint = 'Empty arrays give no rows; a NULL is most often a query that found nothing.';
    elsif greatest(array_ndims(p_symbols), array_ndims(p_as_of), array_ndims(p_known_as_of)) > 1
    then
        raise exception 'an array of several dimensions'
            using errcode = 'array_subscript_error',
            hint = 'Give one-dimensional arrays, an element per pair.';
    elsif cardinality(p_symbols) <> cardinality(p_as_of)
        or cardinality(p_symbols) <> cardinality(coalesce(p_known_as_of, p_as_of)) then
        raise exception 'the arrays differ in length: % symbols, % as_of, % known_as_of',
            cardinality(p_symbols), cardinality(p_as_of),
            coalesce(cardinality(p_known_as_of)::text, 'no')
            using errcode = 'array_subscript_error', hint = 'Give one element per pair in each.';
    end if;
    select format('NULL at position %s of %s', a.place, a.name)
    into v_problem
    from (
        values
        ('p_symbols', array_position(p_symbols, null)),
        ('p_as_of', array_position(p_as_of, null)),
        ('p_known_as_of', array_position(p_known_as_of, null))
    ) as a (name, place)
    where a.place is not null
    limit 1;
    if v_problem is not null then
        raise exception '%', v_problem
            using errcode = 'null_value_not_allowed', hint = 'Every pair needs all its values.';
    end if;
    select
        min(a.moment),
        max(a.moment)
    into v_earliest, v_latest
    from unnest(p_as_of || p_known_as_of) as a (moment);
    if v_latest > clock_timestamp() then
        raise exception 'a time in the future: %', v_latest
            using errcode = 'invalid_parameter_value',
            hint = 'Nothing is known yet of what comes after now.';
    elsif v_earliest < c_first then
        raise exception 'a time before the year 1: %', v_earliest
            using errcode = 'invalid_parameter_value',
            hint = 'Ticks are accepted from 2000-01-01 on.';
    end if;
end
$$;
revoke all on function feature.check_pairs(text[], timestamptz[], timestamptz[]) from public;
comment on function feature.check_pairs(text[], timestamptz[], timestamptz[]) is
'Refuses what public.feature_pit_snapshot() cannot answer. Errors: 22004 for NULL, 2202E when the '
'arrays differ in length or have more than one dimension, 22023 for a time in the future or before '
'the year 1.';
