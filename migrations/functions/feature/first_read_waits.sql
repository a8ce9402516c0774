create or replace function feature.first_read_waits(p_set text)
returns table (tenant_id integer, symbol text, bucket timestamptz)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        w.tenant_id,
        w.symbol,
        min(lower(w.buckets))
    from feature.waiting_field as w
    inner join feature.published_field() as p
        on w.feature_set = p.feature_set and w.field = p.field
    where
        -- the minutes of a longer bar can be read as a whole
        exists (
            select from feature.published_set() as s
            where s.feature_set = p_set and s.made_of = w.feature_set
        )
        or exists (
            select from feature.read_field() as r
            where r.feature_set = p_set and r.from_set = w.feature_set and r.field = w.field
        )
    group by w.tenant_id, w.symbol
$$;
revoke all on function feature.first_read_waits(text) from public;
comment on function feature.first_read_waits(text) is
'The first bar of each series that waits for a field that the set p_set may read, in '
'feature.waiting_field of another set. Step of feature.await_history().';
