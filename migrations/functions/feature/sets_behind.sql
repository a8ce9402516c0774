create or replace function feature.sets_behind(p_set text) returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        with recursive reads as (
            select
                s.feature_set,
                s.made_of as from_set
            from feature.published_set() as s
            where s.made_of <> 'tick'
            union
            select
                f.feature_set,
                f.from_set
            from feature.read_field() as f
        ),

        behind (from_set) as (
            select r.from_set
            from reads as r
            where r.feature_set = p_set
            union
            select r.from_set
            from behind as b
            inner join reads as r on b.from_set = r.feature_set
        )

        select coalesce(array_agg(b.from_set), '{}')
        from behind as b
    );
end
$$;
revoke all on function feature.sets_behind(text) from public;
comment on function feature.sets_behind(text) is
'The sets that the set p_set is made of or reads, and those that these are and do.';
