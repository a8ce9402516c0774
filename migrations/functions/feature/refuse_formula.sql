create or replace function feature.refuse_formula(
    p_said text, p_why text default ''
) returns void
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    raise exception '%', p_said
        using errcode = 'feature_not_supported',
        hint = p_why || 'The rules: docs/point-in-time.md, "What a model may read".';
end
$$;
revoke all on function feature.refuse_formula(text, text) from public;
comment on function feature.refuse_formula(text, text) is
'Refuses a model or a line of the contract: 0A000 with p_said, the model or field, the rule that '
'it breaks and what to do; p_why comes before where the rules are. For feature.compile().';
