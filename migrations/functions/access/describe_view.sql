create or replace procedure access.describe_view(p_view regclass, p_source regclass)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_column record;
begin
    execute format(
        'comment on view %s is %L', p_view,
        'The rows that the asking login may see of ' || p_source::text || ': '
        || obj_description(p_source, 'pg_class')
    );
    for v_column in
        select
            v.attname,
            col_description(p_source, s.attnum) as said
        from pg_attribute as v
        inner join pg_attribute as s on s.attrelid = p_source and v.attname = s.attname
        where v.attrelid = p_view and v.attnum > 0
    loop
        execute format('comment on column %s.%I is %L', p_view, v_column.attname, v_column.said);
    end loop;
end
$$;
revoke all on procedure access.describe_view(regclass, regclass) from public;
comment on procedure access.describe_view(regclass, regclass) is -- noqa: LT01
'Gives p_view the comments of p_source: of the relation, and of each column of the same name. For '
'the views of the schema api, whose columns mean what they mean in their source.';
