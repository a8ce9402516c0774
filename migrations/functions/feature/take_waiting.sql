create or replace function feature.take_waiting(p_set text, p_known_at timestamptz)
returns setof feature.waiting_bar
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    delete from feature.waiting_bar as w
    where
        w.feature_set = p_set
        and w.closes_at <= p_known_at
        and not exists (
            select from feature.set_aside as s
            where
                s.tenant_id = w.tenant_id
                and s.symbol = w.symbol
                and s.feature_set = p_set
                and s.try_after > p_known_at
        )
    returning w.*
$$;
revoke all on function feature.take_waiting(text, timestamptz) from public;
comment on function feature.take_waiting(text, timestamptz) is
'Takes from feature.waiting_bar the bars of a set that are to be made by the stamp p_known_at. '
'Those of a series that is set aside in it stay until it is to be tried again. Step of '
'feature.publish().';
