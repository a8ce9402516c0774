create or replace function feature.is_completed(p_set text, p_old jsonb, p_new jsonb)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select
        p_new - w.fields = p_old - w.fields
        and not exists (
            select from unnest(w.fields) as f (name)
            where p_old -> f.name <> 'null' and p_old -> f.name is distinct from p_new -> f.name
        )
    from (
        select coalesce(array_agg(w.field), '{}') as fields
        from feature.waiting_field as w
        where
            w.feature_set = p_set
            and w.tenant_id = (p_old ->> 'tenant_id')::integer
            and w.symbol = p_old ->> 'symbol'
            and w.buckets @> (p_old ->> 'bucket')::timestamptz
            and (p_old ->> 'known_at')::timestamptz > w.known_after
            and (p_old ->> 'known_at')::timestamptz <= w.known_to
    ) as w
$$;
revoke all on function feature.is_completed(text, jsonb, jsonb) from public;
comment on function feature.is_completed(text, jsonb, jsonb) is
'Whether p_new, a version of the set p_set, is p_old with a value more where it was NULL, of '
'fields that feature.waiting_field says the version waits for, and all else as it was. For '
'feature.refuse_change().';
