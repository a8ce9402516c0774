-- depends: functions/feature/definition_content
create or replace function feature.note_definitions() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_set text;
    v_content text;
    v_hash text;
begin
    delete from feature.current_definition as c
    where c.feature_set not in (select s.feature_set from feature.published_set() as s);
    for v_set in select s.feature_set from feature.published_set() as s order by s.place loop
        v_content := feature.definition_content(v_set);
        v_hash := encode(sha256(convert_to(v_content, 'UTF8')), 'hex');
        insert into feature.definition (
            definition, feature_set, hash, content, fields, known_at
        )
        select
            coalesce((select max(d.definition) from feature.definition as d), 0) + 1,
            v_set,
            v_hash,
            v_content,
            array(
                select f.field
                from feature.published_field() as f
                where f.feature_set = v_set and f.place > 0
                order by f.place
            ),
            c.published_at
        from feature.clock as c
        where not exists (
            select from feature.definition as d where d.feature_set = v_set and d.hash = v_hash
        );
        insert into feature.current_definition as c (feature_set, definition)
        select
            d.feature_set,
            d.definition
        from feature.definition as d
        where d.feature_set = v_set and d.hash = v_hash
        on conflict (feature_set) do update set definition = excluded.definition
        where c.definition <> excluded.definition;
    end loop;
end
$$;
revoke all on function feature.note_definitions() from public;
comment on function feature.note_definitions() is
'Notes in feature.definition what the sets of feature.published_set() are computed by, unless it '
'is there, and in feature.current_definition which that is. Step of feature.compile(), under the '
'lock of the clock.';
