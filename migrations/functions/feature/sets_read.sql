create or replace function feature.sets_read(p_set text) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select coalesce(array_agg(distinct f.from_set), '{}')
        from feature.read_field() as f
        where f.feature_set = p_set
    );
end
$$;
revoke all on function feature.sets_read(text) from public;
comment on function feature.sets_read(text) is
'The other sets of the same grain whose fields windows of the set p_set read.';
