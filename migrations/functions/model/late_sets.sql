create or replace function model.late_sets(
    p_card jsonb, p_other jsonb, p_inputs jsonb, p_predicted_at timestamptz
) returns text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select string_agg(s.feature_set, ', ' order by s.feature_set)
    from (
        select
            k.feature_set,
            max(k.available_after_s) as after_s
        from jsonb_array_elements(
            (p_card -> 'columns') || (p_other -> 'columns')
        ) as c (entry)
        inner join market.contract as k
            on k.feature_set = c.entry ->> 'feature_set' and k.field = c.entry ->> 'field'
        group by k.feature_set
    ) as s
    where case
        when pg_input_is_valid(p_inputs -> s.feature_set ->> 'as_of', 'timestamptz')
            then (p_inputs -> s.feature_set ->> 'as_of')::timestamptz
                < p_predicted_at - make_interval(secs => s.after_s)
    end
$$;
revoke all on function model.late_sets(jsonb, jsonb, jsonb, timestamptz) from public;
comment on function model.late_sets(jsonb, jsonb, jsonb, timestamptz) is
'Sets that either of two cards reads, whose moment in p_inputs was older, when the prediction was '
'made, than the contract gives these fields to be there after their bar (available_after_s, the '
'longest): nothing was published meanwhile. NULL: none.';
