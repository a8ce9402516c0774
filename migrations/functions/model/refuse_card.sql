create or replace function model.refuse_card(p_model text, p_tenant_id integer, p_card jsonb)
returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    v_wrong text;
begin
    select w.wrong
    into v_wrong
    from (
        values
        (p_card ->> 'name' is distinct from p_model, 'name is not ' || p_model),
        (
            p_card -> 'tenant_id' is distinct from to_jsonb(p_tenant_id),
            'tenant_id is not ' || p_tenant_id
        ),
        (
            not coalesce(
                p_card @? '$.columns.type() ? (@ == "array")'
                and p_card @? '$.columns[0]'
                and not p_card @? '$.columns[*] ? (
                    !(@.feature_set.type() == "string" && @.field.type() == "string")
                )',
                false
            ),
            'columns is not a list of {"feature_set": ..., "field": ...}'
        ),
        (
            not coalesce(p_card @? '$.label.sql ? (@.type() == "string" && @ != "")', false),
            'label.sql is missing'
        ),
        (
            not coalesce(
                p_card @? '$.label.horizon_s ? (@.type() == "number" && @ >= 0)', false
            ),
            'label.horizon_s is not a number of seconds'
        ),
        (
            p_card @? '$.reference.type() ? (@ != "array" && @ != "null")'
            or p_card @? '$.reference[*] ? (
                !(@.bins.type() == "array" && @.shares.type() == "array")
            )',
            'reference is not a list of {"column": ..., "bins": [...], "shares": [...]}'
        ),
        (
            p_card @? '$.thresholds.* ? (@.type() != "number" && @.type() != "null")',
            'thresholds are not all numbers'
        )
    ) as w (is_wrong, wrong)
    where w.is_wrong
    limit 1;
    if v_wrong is null then
        -- the bins of width_bucket(): below the first edge, between two, from the last on; and NULL
        select format(
            'reference of %s has %s bins of edges that grow and %s shares',
            r.entry ->> 'column',
            jsonb_array_length(r.entry -> 'bins') + 1,
            jsonb_array_length(r.entry -> 'shares')
        )
        into v_wrong
        from jsonb_array_elements(nullif(p_card -> 'reference', 'null')) as r (entry)
        where
            jsonb_array_length(r.entry -> 'shares')
            is distinct from jsonb_array_length(r.entry -> 'bins') + 2
        limit 1;
    end if;
    if v_wrong is not null then
        raise exception 'the card of model % cannot be used: %', p_model, v_wrong
            using errcode = 'invalid_parameter_value',
            hint = 'Give what model.json of its bundle says; docs/predictions.md has its keys.';
    end if;
end
$$;
revoke all on function model.refuse_card(text, integer, jsonb) from public;
comment on function model.refuse_card(text, integer, jsonb) is
'Refuses a card that model.replay(), model.note_labels() or the views of model could not read: '
'name and tenant_id that are others, no columns, no label.sql or label.horizon_s, thresholds that '
'are no numbers, an entry of reference whose shares are not those of its bins: below the first '
'edge, from each edge to the next, from the last on, and NULL. Errors: 22023. Step of '
'model.register().';
