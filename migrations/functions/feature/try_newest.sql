-- depends: functions/feature/newest_query
create or replace function feature.try_newest(p_set market.feature_set) returns text
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    execute 'create temp table newest on commit drop as ' || feature.newest_query(
        p_set,
        '(select o.series_no, 0 as tenant_id, ''A''::text as symbol, o.bucket '
        'from pg_temp.window_output as o where o.series_no % 10 < 2) as newest_bar',
        true
    );
    -- as text: zeros have signs
    if exists (
        (select t::text from together as t where t.series_no % 10 < 2)
        except
        (select n::text from newest as n)
    ) then
        return 'it gives other values';
    end if;
    return null;
exception
    when others then
        return sqlerrm;
end
$$;
revoke all on function feature.try_newest(market.feature_set) from public;
comment on function feature.try_newest(market.feature_set) is
'Why feature.newest_query() of a set cannot be taken; NULL where it gives, to the bit, what its '
'window_value has given over feature.make_trial_bars(), in the temporary table together. Step of '
'feature.compile_newest().';
