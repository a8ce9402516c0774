-- depends: functions/feature/bars_of functions/feature/published_of
create or replace function feature.await_open(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_made_of constant text := (feature.published_of(p_set)).made_of;
begin
    if c_made_of = 'tick' then
        return;
    end if;
    execute format(
        $q$
            with recent as materialized (
                select distinct l.tenant_id, l.symbol, l.bucket
                from %s as l
                -- no session is longer
                where l.bucket > (select c.published_at - interval '25 hours' from feature.clock as c)
            )

            insert into feature.waiting_bar (
                feature_set, tenant_id, symbol, bucket, closes_at, cause
            )
            select distinct $1, r.tenant_id, r.symbol, b.bucket, b.closes_at, 'late'
            from recent as r
            inner join feature.bars_of(
                (select s.grain from market.feature_set as s where s.feature_set = $1),
                (select array_agg(m.symbol) from recent as m),
                (select array_agg(m.bucket) from recent as m)
            ) as b on r.symbol = b.symbol and r.bucket = b.minute
            where b.closes_at > (select c.published_at from feature.clock as c)
            on conflict do nothing
        $q$,
        (feature.published_of(c_made_of)).log
    ) using p_set;
end
$$;
revoke all on function feature.await_open(text) from public;
comment on function feature.await_open(text) is
'Queues in feature.waiting_bar, of a set that is made of another, the bars that are open at the '
'last publish, of what the log of that one has. Step of feature.switch_logs() and '
'feature.note_births().';
