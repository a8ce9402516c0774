create or replace function audit.describe_change(p_key jsonb, p_old jsonb, p_new jsonb)
returns jsonb
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select jsonb_object_agg(d.part, d.content)
    from (
        values
        ('key', p_key),
        (
            'old',
            (
                select jsonb_object_agg(o.key, o.value)
                from jsonb_each(p_old) as o
                where p_new is null or o.value is distinct from p_new -> o.key
            )
        ),
        (
            'new',
            (
                select jsonb_object_agg(n.key, n.value)
                from jsonb_each(p_new) as n
                where p_old is null or n.value is distinct from p_old -> n.key
            )
        )
    ) as d (part, content)
    where d.content is not null
$$;
revoke all on function audit.describe_change(jsonb, jsonb, jsonb) from public;
comment on function audit.describe_change(jsonb, jsonb, jsonb) is
'audit.event.detail of a changed row: its key, the values before and after; of an update only '
'those that changed. p_old: NULL for an insert; p_new: NULL for a delete.';
