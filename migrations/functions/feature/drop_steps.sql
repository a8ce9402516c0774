create or replace function feature.drop_steps() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    v_table text;
begin
    for v_table in
        select c.relname
        from pg_class as c
        where
            c.relnamespace = pg_my_temp_schema()
            and c.relkind = 'r'
            and (
                c.relname = any(array[
                    'due', 'changed', 'series_trade', 'series_quote', 'series_bar', 'series_minute',
                    'own', 'moved', 'island', 'window_bar', 'window_output', 'window_value',
                    'next_version', 'failed', 'slice', 'slice_trade', 'slice_quote', 'slice_bar',
                    'slice_minute', 'slice_read', 'stamp', 'moment', 'bar_state', 'stable',
                    'disturbance', 'epoch', 'epoch_output', 'span', 'timeline', 'history_version',
                    'newest', 'newest_value'
                ])
                or c.relname ~ '^(window_bar|next_version)_'
            )
    loop
        execute format('drop table pg_temp.%I', v_table);
    end loop;
end
$$;
revoke all on function feature.drop_steps() from public;
comment on function feature.drop_steps() is
'Drops the temporary tables that steps of a publish or backfill hand to the next.';
