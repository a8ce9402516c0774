create or replace function feature.end_fields(
    p_set text,
    p_tenant_id integer,
    p_symbol text,
    p_fields text[],
    p_from timestamptz,
    p_to timestamptz
) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_done constant tstzmultirange := tstzmultirange(tstzrange(p_from, p_to));
begin
    delete from feature.waiting_field as w
    where
        w.feature_set = p_set
        and w.tenant_id = p_tenant_id
        and w.symbol = p_symbol
        and w.field = any(p_fields)
        and w.buckets <@ c_done;
    update feature.waiting_field as w set buckets = w.buckets - c_done
    where
        w.feature_set = p_set
        and w.tenant_id = p_tenant_id
        and w.symbol = p_symbol
        and w.field = any(p_fields)
        and w.buckets && c_done;
end
$$;
revoke all on function feature.end_fields(
    text, integer, text, text[], timestamptz, timestamptz
) from public;
comment on function feature.end_fields(
    text, integer, text, text[], timestamptz, timestamptz
) is
'Takes the bars with bucket in [p_from, p_to) of one series out of feature.waiting_field, for the '
'fields p_fields of the set p_set.';
