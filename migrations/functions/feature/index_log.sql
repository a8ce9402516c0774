create or replace procedure feature.index_log(p_log regclass)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_name constant text := (select c.relname from pg_class as c where c.oid = p_log);
begin
    -- "if not exists" would wait for the publish that writes
    if to_regclass(format('feature.%I', v_name || '_minute_key')) is not null then
        return;
    end if;
    -- feature.bar_key(tenant_id, symbol, bucket), written out: the function can be made anew
    execute format(
        $q$
            create index %I on %s (
                (
                    (
                        floor(
                            date_part('epoch', bucket - timestamptz '2000-01-01 00:00:00+00') / 60
                        )::bigint << 37
                    )
                    | (hashtextextended(symbol, tenant_id) & 137438953471)
                ),
                known_at
            )
        $q$,
        v_name || '_minute_key', p_log
    );
end
$$;
revoke all on procedure feature.index_log(regclass) from public;
comment on procedure feature.index_log(regclass) is -- noqa: LT01
'Makes what point-in-time reads find versions by in a log, p_log, whose bars begin with a minute, '
'unless it is there: an index by feature.bar_key() and known_at. Publishes wait while it is made: '
'about half a second for a million versions. Step of feature.make_log().';
