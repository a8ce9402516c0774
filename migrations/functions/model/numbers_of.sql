-- depends: functions/feature/with_names functions/model/number_of
create or replace function model.numbers_of(
    p_schema text, p_columns jsonb, p_set text, p_generation integer, p_symbols text[],
    p_as_ofs timestamptz[], p_tenant_id integer
) returns table (place bigint, ordinal bigint, number double precision)
language plpgsql stable
set search_path = pg_catalog, pg_temp
-- a number that goes by way of its text keeps its bits
set extra_float_digits = 1
as $$
declare
    v_missing text;
begin
    select format('%s.%s', p_set, c.entry ->> 'field')
    into v_missing
    from jsonb_array_elements(p_columns) as c (entry)
    where
        c.entry ->> 'feature_set' = p_set
        and not exists (
            select from market.contract as k
            where k.feature_set = p_set and k.field = c.entry ->> 'field'
        )
    limit 1;
    if v_missing is not null then
        raise exception 'there is no % any more', v_missing
            using errcode = 'undefined_column',
            hint = 'Its log keeps what was said: add it to seeds/ again, then run make migrate.';
    end if;
    return query execute format(
        $sql$
        select
            s.ordinality,
            c.ordinal,
            model.number_of(
                c.entry ->> 'feature_set' || '.' || (c.entry ->> 'field'),
                (to_json(s) ->> (c.entry ->> 'field')),
                k.data_type,
                coalesce(c.entry -> 'categories', '[]')
            )
        from %I.%I($1, $2, $3, null::timestamptz[], $4) with ordinality as s
        cross join jsonb_array_elements($5) with ordinality as c (entry, ordinal)
        inner join market.contract as k
            on k.feature_set = c.entry ->> 'feature_set' and k.field = c.entry ->> 'field'
        where c.entry ->> 'feature_set' = $6
        $sql$,
        p_schema,
        feature.with_names(p_set, '{prefix}_pit_snapshot_in')
    )
    using p_generation, p_symbols, p_as_ofs, p_tenant_id, p_columns, p_set;
end
$$;
revoke all on function model.numbers_of(
    text, jsonb, text, integer, text[], timestamptz[], integer
) from public;
comment on function model.numbers_of(
    text, jsonb, text, integer, text[], timestamptz[], integer
) is
'The columns of a model that are of the set p_set, as numbers (model.number_of()), for each pair '
'of a symbol and a moment, from the generation p_generation of the set''s log. p_schema: public, '
'or api for what the asking login may see; p_columns: those of a card; p_tenant_id: whose '
'features. Columns: place of the pair, from 1; ordinal of the column in p_columns, from 1; number. '
'Errors: 42703 for a field that is not in the contract any more; those of '
'feature_pit_snapshot_in() and model.number_of().';
