-- folds: 0002_create_reference to 0037_create_tape
-- leads: 0017_create_feast_schema
-- purpose: the aggregate of the range estimators no longer has the name of the contract's field;
--   ticks have bounds within which no arithmetic can fail, stay until a retention is given, and lie
--   in chunks of a week (those that are there keep their length); everything else that differs is a
--   function or a view, and is made from its file
-- lock: access exclusive on market.trade and market.quote while their rows are read once; three
--   aggregates are made anew, empty, and show all from the ticks until they are refreshed
do $$
declare
    v_beyond constant text[] := array(
        select format(
            'trade of %L, tenant %s, ts %s, seq %s: price %s, size %s',
            t.symbol, t.tenant_id, t.ts, t.seq, t.price, t.size
        )
        from market.trade as t
        where
            not (t.price = 0 or abs(t.price) between 1e-12 and 1e12)
            or not t.size between 1e-12 and 1e18
            or not t.known_at < 'infinity'
        limit 5
    ) || array(
        select format(
            'quote of %L, tenant %s, ts %s, seq %s: bid %s x %s, ask %s x %s',
            q.symbol, q.tenant_id, q.ts, q.seq, q.bid, q.bid_size, q.ask, q.ask_size
        )
        from market.quote as q
        where
            not (q.bid = 0 or abs(q.bid) between 1e-12 and 1e12)
            or not (q.ask = 0 or abs(q.ask) between 1e-12 and 1e12)
            or not (q.bid_size = 0 or q.bid_size between 1e-12 and 1e18)
            or not (q.ask_size = 0 or q.ask_size between 1e-12 and 1e18)
            or not q.known_at < 'infinity'
        limit 5
    );
begin
    if cardinality(v_beyond) > 0 then
        raise exception
            e'ticks that no arithmetic can bear are stored, up to five of each kind:\n%',
            array_to_string(v_beyond, e'\n')
            using errcode = 'check_violation',
            hint = 'Nothing was changed. Delete them from market.trade and market.quote, each by '
                'its key, then migrate again: prices are 0 or from 1e-12 to 1e12 in absolute '
                'value, sizes from 1e-12 to 1e18, times finite.';
    end if;
end
$$;

set local role market_owner;

drop view api.volatility_1h;
alter materialized view market.volatility_1h rename to range_1h;
update market.policy_setting set relation = 'range_1h'
where relation = 'volatility_1h';
-- settings that somebody changed stay as they are
update market.policy_setting
set
    span = interval '7 days',
    reason = 'a statement over all ticks locks each chunk and each of its indexes. 7,300 days are '
    '1,043 chunks, which a default server''s lock table holds; of one day they would be 7,300, and '
    'a count over twelve years fails there. With tens of millions of rows a day: 1 day, and locks'
where policy = 'chunk' and relation in ('trade', 'quote') and span = interval '1 day';

delete from market.policy_setting
where
    relation in ('trade', 'quote')
    and policy = 'retention'
    and span = interval '7300 days'
    and reason like 'raw ticks are what every version is rebuilt from%';

update market.policy_setting
set
    span = interval '36500 days',
    reason = 'only invalidated ranges are recomputed: a window over all that was ever accepted is '
    'cheap and catches every late tick; a retention of the ticks ends it'
where policy = 'refresh' and span = interval '7200 days';

comment on column market.policy_setting.policy is
'chunk: length of a chunk. refresh: window that the job keeps materialized. columnstore: age at '
'which a chunk becomes columnar. retention: age at which it is dropped; without a row it stays. '
'Of trade and quote it also says which ticks are accepted: market.earliest_accepted().';
comment on column market.policy_setting.span is
'chunk: length. refresh: how far back from now the window starts, at most as far as a retention '
'lets it (market.refresh_reach()). columnstore, retention: age.';

-- one name, one meaning: feature_pit_snapshot() gives the field
drop function feature.volatility_1h(text, timestamptz, integer);
-- dbt has them made of its models when it runs: feature.compile()
drop function feature.evaluate(text, jsonb, text);
drop function feature.formula(jsonb);
drop function feature.reach();
-- they return feature.pit_row from 0018_create_pit_row on, and have the same columns
drop function api.feature_pit_snapshot(text[], timestamptz[], timestamptz[], integer);
drop function api.feature_pit_snapshot(text[], timestamptz, timestamptz, integer);
drop function api.feature_pit_snapshot(text[], text, text, integer);
drop function public.feature_pit_snapshot(text[], timestamptz[], timestamptz[], integer);
drop function public.feature_pit_snapshot(text[], timestamptz, timestamptz, integer);
drop function public.feature_pit_snapshot(text[], text, text, integer);

reset role;

-- What reads the three aggregates, dbt's views above all, goes with them and comes back: kept in a
-- setting, because the owner may make no temporary table.
do $$
declare
    v_strange text;
begin
    perform set_config('migration.readers', coalesce((
        with recursive reader as (
            select
                r.oid,
                0 as depth
            from unnest(
                array['market.quote_1m', 'market.quote_1h', 'market.range_1h']::regclass[]
            ) as r (oid)
            union all
            select
                w.ev_class,
                d.depth + 1
            from reader as d
            inner join pg_depend as p
                on
                    p.refclassid = 'pg_class'::regclass
                    and p.refobjid = d.oid
                    and p.classid = 'pg_rewrite'::regclass
            inner join pg_rewrite as w on p.objid = w.oid and w.ev_class <> d.oid
        )

        select jsonb_agg(
            jsonb_build_object(
                'name', format('%I.%I', n.nspname, c.relname),
                'kind', c.relkind,
                'is_aggregate', exists (
                    select from timescaledb_information.continuous_aggregates as a
                    where a.view_schema = n.nspname and a.view_name = c.relname
                ),
                'owner', pg_get_userbyid(c.relowner),
                'query', pg_get_viewdef(c.oid),
                'options', array_to_string(c.reloptions, ', '),
                'comment', obj_description(c.oid, 'pg_class'),
                'grants', array(
                    select format(
                        'grant %s on %I.%I to %s%s', g.privilege_type, n.nspname, c.relname,
                        case g.grantee when 0 then 'public' else g.grantee::regrole::text end,
                        case when g.is_grantable then ' with grant option' end
                    )
                    from aclexplode(c.relacl) as g
                    where g.grantee <> c.relowner
                ) || array(
                    select format(
                        'grant %s (%I) on %I.%I to %s', g.privilege_type, a.attname, n.nspname,
                        c.relname,
                        case g.grantee when 0 then 'public' else g.grantee::regrole::text end
                    )
                    from pg_attribute as a
                    cross join aclexplode(a.attacl) as g
                    where a.attrelid = c.oid and g.grantee <> c.relowner
                ),
                'columns', array(
                    select format(
                        'comment on column %I.%I.%I is %L', n.nspname, c.relname, a.attname,
                        col_description(c.oid, a.attnum)
                    )
                    from pg_attribute as a
                    where
                        a.attrelid = c.oid
                        and a.attnum > 0
                        and col_description(c.oid, a.attnum) is not null
                    order by a.attnum
                )
            )
            order by r.depth, n.nspname, c.relname
        )
        from (select d.oid, max(d.depth) as depth from reader as d group by d.oid) as r
        inner join pg_class as c on r.oid = c.oid
        inner join pg_namespace as n on c.relnamespace = n.oid
        where
            n.nspname <> '_timescaledb_internal'
            and (n.nspname, c.relname) not in (
                ('market', 'quote_1m'), ('market', 'quote_1h'), ('market', 'range_1h')
            )
    ), '[]')::text, true);
    select string_agg(v ->> 'name', ', ')
    into v_strange
    from jsonb_array_elements(current_setting('migration.readers')::jsonb) as v
    where
        v ->> 'kind' <> 'v'
        or (v ->> 'is_aggregate')::boolean
        or not pg_has_role(current_user, v ->> 'owner', 'member');
    if v_strange is not null then
        raise exception '% read aggregates that are made anew, and cannot be put back', v_strange
            using errcode = 'dependent_objects_still_exist',
            hint = 'Drop them and make them again after the migration; or, where they are plain '
                'views, migrate as a superuser or a member of their owner.';
    end if;
end
$$;

set local role market_owner;

alter table market.instrument add column allows_negative_price boolean not null default false;
comment on column market.instrument.allows_negative_price is
'Whether a price of it can be zero or below, as of spreads and some futures. Without it ingest '
'refuses such a price. Where a logarithm does not exist a return is NULL.';

alter table market.trade
drop constraint trade_price_check,
drop constraint trade_size_check,
add constraint trade_price_check check (
    price = 0 or abs(price) between double precision '1e-12' and double precision '1e12'
),
add constraint trade_size_check check (
    size between double precision '1e-12' and double precision '1e18'
),
add constraint trade_known_at_check check (known_at < 'infinity');
comment on column market.trade.price is
'Price per unit, in the instrument''s currency; zero or below only of instruments that allow it.';

alter table market.quote
drop constraint quote_bid_check,
drop constraint quote_bid_size_check,
drop constraint quote_ask_check,
drop constraint quote_ask_size_check,
add constraint quote_bid_check check (
    bid = 0 or abs(bid) between double precision '1e-12' and double precision '1e12'
),
add constraint quote_bid_size_check check (
    bid_size = 0 or bid_size between double precision '1e-12' and double precision '1e18'
),
add constraint quote_ask_check check (
    ask = 0 or abs(ask) between double precision '1e-12' and double precision '1e12'
),
add constraint quote_ask_size_check check (
    ask_size = 0 or ask_size between double precision '1e-12' and double precision '1e18'
),
add constraint quote_known_at_check check (known_at < 'infinity');
comment on column market.trade_superseded.price is
'Price per unit, in the instrument''s currency; zero or below only of instruments that allow it.';

drop materialized view market.range_1h cascade;
drop materialized view market.quote_1h cascade;
drop materialized view market.quote_1m cascade;

reset role;

-- make: 0010_create_quote_aggregates
-- make: 0011_create_range_1h
reset role;

do $$
declare
    v_reader jsonb;
    v_statement text;
begin
    for v_reader in
        select v from jsonb_array_elements(current_setting('migration.readers')::jsonb) as v
    loop
        execute format('set local role %I', v_reader ->> 'owner');
        execute format(
            'create view %s %s as %s', v_reader ->> 'name',
            'with (' || nullif(v_reader ->> 'options', '') || ')', v_reader ->> 'query'
        );
        execute format('comment on view %s is %L', v_reader ->> 'name', v_reader ->> 'comment');
        for v_statement in
            select s.statement
            from jsonb_array_elements_text(
                (v_reader -> 'columns') || (v_reader -> 'grants')
            ) as s (statement)
        loop
            execute v_statement;
        end loop;
        reset role;
    end loop;
end
$$;
