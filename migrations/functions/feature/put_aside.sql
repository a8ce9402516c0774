create or replace function feature.put_aside(p_set text, p_known_at timestamptz) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_causes constant text[] := array['late', 'correction', 'cancel'];
    v_table text;
    v_said feature.set_aside;
begin
    if to_regclass('pg_temp.failed') is null then
        return;
    end if;
    -- back into the queue: no bar is lost
    if p_set = 'market_1m' then
        insert into feature.changed_bar (
            tenant_id, symbol, bucket, cause, known_from, known_to, bars_before, kind
        )
        select
            c.tenant_id, c.symbol, c.bucket, c_causes[c.cause_rank], c.known_from, c.known_to,
            c.bars_before, market.bars_from(c.symbol)
        from changed as c
        where (c.tenant_id, c.symbol) in (select f.tenant_id, f.symbol from failed as f);
    else
        perform feature.put_back(p_set);
    end if;
    delete from own as o
    using changed as c
    where
        o.series_no = c.series_no
        and (c.tenant_id, c.symbol) in (select f.tenant_id, f.symbol from failed as f);
    foreach v_table in array array['changed', 'moved', 'island'] loop
        if to_regclass('pg_temp.' || v_table) is not null then
            execute format(
                'delete from %I as t where (t.tenant_id, t.symbol) in '
                '(select f.tenant_id, f.symbol from failed as f)', v_table
            );
        end if;
    end loop;

    for v_said in
        insert into feature.set_aside as s (
            feature_set, tenant_id, symbol, since, tries, tried_at, try_after, amends, sqlstate,
            message
        )
        select
            p_set, f.tenant_id, f.symbol, p_known_at, 1, p_known_at, p_known_at + interval '30 seconds',
            (
                select count(*)
                from feature.changed_bar as c
                where c.tenant_id = f.tenant_id and c.symbol = f.symbol and c.cause <> 'late'
            ),
            f.sqlstate, f.message
        from failed as f
        on conflict (tenant_id, symbol, feature_set) do update set
            tries = s.tries + 1,
            tried_at = excluded.tried_at,
            try_after = excluded.tried_at
            + least(interval '30 seconds' * 2 ^ least(s.tries, 10), interval '10 minutes'),
            amends = excluded.amends,
            sqlstate = excluded.sqlstate,
            message = excluded.message
        returning s.*
    loop
        raise warning '% of tenant % is set aside%: %', v_said.symbol, v_said.tenant_id,
            case when p_set <> 'market_1m' then ' in ' || p_set else '' end, v_said.message
            using errcode = v_said.sqlstate,
            hint = 'All other series are published. Correct or cancel the tick that its formulas '
                'fail on, or change the formula; see feature.set_aside.';
    end loop;
    drop table pg_temp.failed;
end
$$;
revoke all on function feature.put_aside(text, timestamptz) from public;
comment on function feature.put_aside(text, timestamptz) is
'Takes the series in the temporary table failed, if it is there, out of the publish of the set '
'p_set stamped p_known_at: puts their bars back into the queue and notes them in '
'feature.set_aside, with a warning each. Step of feature.publish(), after each evaluation.';
