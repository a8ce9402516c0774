create or replace procedure feature.index_log(p_log regclass)
language plpgsql
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    v_name constant text := (select c.relname from pg_class as c where c.oid = p_log);
begin
    -- feature.bar_key(tenant_id, symbol, bucket), written out: the function can be made anew
    execute format(
        $q$
            create index if not exists %I on %s (
                (
                    (hashtextextended(symbol, tenant_id) << 26)
                    | floor(
                        date_part('epoch', bucket - timestamptz '2000-01-01 00:00:00+00') / 60
                    )::bigint
                ),
                known_at
            )
        $q$,
        v_name || '_bar_key', p_log
    );
end
$$;
revoke all on procedure feature.index_log(regclass) from public;
comment on procedure feature.index_log(regclass) is -- noqa: LT01
'Makes what point-in-time reads find versions by in a log, p_log, whose columns are tenant_id, '
'symbol, bucket and known_at beside values: an index by feature.bar_key() and known_at. '
'Publishes wait while it is made: about half a second for a million versions.';

call feature.index_log('feature.log');
