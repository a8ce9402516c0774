-- depends: functions/feature/drop_readers functions/feature/field_list functions/feature/name_of
create or replace function feature.make_row_type(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_name constant text := feature.name_of(p_set, 'pit_row');
    c_columns constant text := 'symbol text, as_of timestamp with time zone, '
    'known_as_of timestamp with time zone, bucket timestamp with time zone, '
    'known_at timestamp with time zone, '
    || feature.field_list(p_set, '%I %s') || ', is_stale boolean';
    v_columns text;
begin
    select string_agg(
        format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' order by a.attnum
    )
    into v_columns
    from pg_attribute as a
    where
        a.attrelid = to_regclass('feature.' || c_name)
        and a.attnum > 0
        and not a.attisdropped;
    if v_columns = c_columns or c_columns is null then
        return;
    end if;
    perform feature.drop_readers(p_set);
    execute format('create type feature.%I as (%s)', c_name, c_columns);
    execute format(
        'comment on type feature.%I is %L', c_name,
        case p_set
            when 'market_1m'
                then 'What feature_pit_snapshot() answers: the columns are in its comment.'
            else format('What %s_pit_snapshot() answers: the columns are in its comment.', p_set)
        end
    );
end
$$;
revoke all on function feature.make_row_type(text) from public;
comment on function feature.make_row_type(text) is
'Makes the row type of a set''s answers (feature.name_of(), pit_row), unless it is there with '
'the fields of market.contract. What answers with the former one goes, and is made again by its '
'files. Step of feature.make_logs().';
