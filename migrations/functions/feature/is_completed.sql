create or replace function feature.is_completed(p_set text, p_old jsonb, p_new jsonb)
returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_tenant_id constant integer := p_old ->> 'tenant_id';
    c_symbol constant text := p_old ->> 'symbol';
    c_bucket constant timestamptz := p_old ->> 'bucket';
    c_known_at constant timestamptz := p_old ->> 'known_at';
    c_fields constant text[] := array(
        select w.field
        from feature.waiting_field as w
        where
            w.feature_set = p_set
            and w.tenant_id = c_tenant_id
            and w.symbol = c_symbol
            and w.buckets @> c_bucket
            and c_known_at > w.known_after
            and c_known_at <= w.known_to
    );
    v_field text;
begin
    if p_new - c_fields <> p_old - c_fields then
        return false;
    end if;
    foreach v_field in array c_fields loop
        if p_old -> v_field <> 'null' and p_old -> v_field is distinct from p_new -> v_field then
            return false;
        end if;
    end loop;
    return true;
end
$$;
revoke all on function feature.is_completed(text, jsonb, jsonb) from public;
comment on function feature.is_completed(text, jsonb, jsonb) is
'Whether p_new, a version of the set p_set, is p_old with a value more where it was NULL, of '
'fields that feature.waiting_field says the version waits for, and all else as it was. For '
'feature.refuse_change().';
