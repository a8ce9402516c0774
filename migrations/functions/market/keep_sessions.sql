-- depends: functions/market/expand_sessions functions/market/reference_stamp
create or replace function market.keep_sessions() returns text[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_moved text[];
    v_stamp timestamptz;
begin
    with zone as (
        select
            c.time_zone,
            encode(sha256(string_agg(
                int4send(extract(epoch from d.day at time zone c.time_zone - d.day at time zone 'UTC')::integer),
                ''::bytea order by d.day
            )), 'hex') as digest
        from (
            select
                a.time_zone,
                max(a.ends_on) as ends_on
            from market.calendar as a
            group by a.time_zone
        ) as c
        cross join lateral generate_series(
            timestamp '2000-01-01 00:00', c.ends_on::timestamp, interval '1 day'
        ) as d (day)
        group by c.time_zone
    ),

    kept as (
        insert into market.zone_rules as k (time_zone, digest)
        select z.time_zone, z.digest from zone as z
        on conflict (time_zone) do update set digest = excluded.digest
        where k.digest <> excluded.digest
        returning time_zone
    )

    select array_agg(k.time_zone) into v_moved from kept as k;
    if v_moved is null then
        return '{}';
    end if;
    v_stamp := market.reference_stamp();
    perform market.expand_sessions(c.calendar_id, v_stamp)
    from market.calendar as c
    where c.time_zone = any(v_moved);
    return v_moved;
end
$$;
revoke all on function market.keep_sessions() from public;
grant execute on function market.keep_sessions() to market_deploy;
comment on function market.keep_sessions() is
'Where this server''s rules of a calendar''s time zone are others than those by which its sessions '
'were last made, makes these anew, known from now: what was known before stays. Returns the time '
'zones that it looked at. Called when seeds/ are loaded.';
