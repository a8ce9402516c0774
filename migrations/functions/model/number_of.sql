create or replace function model.number_of(
    p_name text, p_value text, p_data_type text, p_categories jsonb
) returns double precision
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_place bigint;
begin
    if p_value is null then
        return 'NaN';
    elsif jsonb_array_length(p_categories) > 0 then
        select c.place - 1
        into v_place
        from jsonb_array_elements_text(p_categories) with ordinality as c (category, place)
        where c.category = p_value
        limit 1;
        if v_place is null then
            raise exception '% is %, and the model knows %', p_name, quote_literal(p_value), (
                select string_agg(c.category, ', ')
                from jsonb_array_elements_text(p_categories) as c (category)
            )
                using errcode = 'data_exception', hint = 'Train it anew on what there is now.';
        end if;
        return v_place;
    elsif p_data_type in ('text', 'boolean') then
        raise exception '% is %, and the model takes a number', p_name, quote_literal(p_value)
            using errcode = 'data_exception', hint = 'Its column needs categories.';
    end if;
    return p_value::double precision;
end
$$;
revoke all on function model.number_of(text, text, text, jsonb) from public;
comment on function model.number_of(text, text, text, jsonb) is
'A value as a model takes it, to the bit as training/bundle.py has it: NULL is NaN; where there '
'are p_categories its place among them, from 0; else the number. p_name, for the error; p_value, '
'as its type writes it; p_data_type, market.contract. Errors: 22000 for a text that is none of the '
'categories, or without any.';
