-- depends: functions/model/numbers_of
create or replace function model.question_numbers(
    p_columns jsonb, p_set text, p_generation integer, p_symbols text[], p_as_ofs timestamptz[],
    p_tenant_id integer
) returns table (place bigint, ordinal bigint, number double precision)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select n.*
    from model.numbers_of(
        'public', p_columns, p_set, p_generation, p_symbols, p_as_ofs, p_tenant_id
    ) as n;
exception
    -- model.replay() says why
    when others then
        return;
end
$$;
revoke all on function model.question_numbers(
    jsonb, text, integer, text[], timestamptz[], integer
) from public;
comment on function model.question_numbers(
    jsonb, text, integer, text[], timestamptz[], integer
) is
'model.numbers_of() of what anybody asked; no row where they cannot be recomputed, as of a field '
'that is not there any more: others go on.';
