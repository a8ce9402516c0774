-- depends: 0003_create_reference 0005_create_trade 0006_create_quote
--   0010_create_quote_aggregates 0011_create_range_1h
-- purpose: bounds within which no arithmetic on ticks can fail; prices of zero and below, of the
--   instruments that say so; a spread that one stub quote does not ruin
-- lock: access exclusive on market.trade and market.quote while their rows are read once; three
--   aggregates are made anew, empty, and show all from the ticks until they are refreshed
-- A price is 0 or between 1e-12 and 1e12 away from it, a size between 1e-12 and 1e18. Then
--   price x size is at most 1e30 and never below 1e-24; the sum of 2^63 of them is below 1e50, a
--   ratio of closes between 1e-24 and 1e24, its logarithm within 56, that one's square below 3100
--   and, unless 0, above 1e-33: a double precision holds 1e-307 to 1e308. Far beyond real ones: a
--   coin of 1e-10, a share of 1e6, a bond issue of 1e12. ingest/kinds.py says the same bounds, and
--   refuses beyond them before they come here.
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

-- Left out: crossed quotes, one-sided ones (the comparison is NULL), and those whose ask is beyond
--   twice their bid: such a pair is a market maker's stub, no price at which anyone trades, and one
--   of them would be the mean. Of a mid at or below zero there are no basis points.
create materialized view market.quote_1m
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 minute', ts) as bucket,
    sum(10000 * (ask - bid) / nullif((ask + bid) / 2, 0)) filter (
        where bid > 0 and ask between bid and 2 * bid
    ) as spread_bps_sum,
    count(*) filter (where bid > 0 and ask between bid and 2 * bid) as spread_bps_count,
    last(bid, timestamptz_send(ts) || int8send(seq)) filter (where bid is not null) as last_bid,
    last(ask, timestamptz_send(ts) || int8send(seq)) filter (where ask is not null) as last_ask,
    count(*) as quotes
from market.quote
group by 1, 2, 3
with no data;

create materialized view market.quote_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    sum(spread_bps_sum) as spread_bps_sum,
    sum(spread_bps_count)::bigint as spread_bps_count,
    last(last_bid, bucket) filter (where last_bid is not null) as last_bid,
    last(last_ask, bucket) filter (where last_ask is not null) as last_ask,
    sum(quotes)::bigint as quotes
from market.quote_1m
group by 1, 2, 3
with no data;

-- an hour in which a price was zero or below has no logarithm of a range: NULL
create materialized view market.range_1h
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select
    tenant_id,
    symbol,
    time_bucket(interval '1 hour', bucket) as bucket,
    count(*) as bars,
    sum(trades)::bigint as trades,
    case when min(low) > 0 then sum(
        case when low > 0 then ln(high / low) ^ 2 / (4 * ln(2.0::double precision)) end
    ) end as parkinson_sum,
    case when min(low) > 0 then sum(
        case
            when low > 0
                then
                    0.5 * ln(high / low) ^ 2
                    - (2 * ln(2.0::double precision) - 1) * ln(close / open) ^ 2
        end
    ) end as garman_klass_sum,
    case when min(low) > 0 then sum(
        case
            when low > 0
                then ln(high / close) * ln(high / open) + ln(low / close) * ln(low / open)
        end
    ) end as rogers_satchell_sum
from market.ohlc_1m
group by 1, 2, 3
with no data;

comment on view market.quote_1m is 'One row per (tenant_id, symbol, minute) that was quoted.';
comment on view market.quote_1h is
'One row per (tenant_id, symbol, hour) that was quoted, rolled up from market.quote_1m.';
comment on view market.range_1h is
'One row per (tenant_id, symbol, hour) that traded: additive parts of the range estimators over '
'its one-minute bars. The square root of a sum is the volatility of the hour, a fraction. They '
'read low on thin trading: see the contract.';

do $$
declare
    c_key constant text[] := array[
        'tenant_id', 'Owner, market.tenant.',
        'symbol', 'Instrument, market.instrument.',
        'bucket', 'Start of the bar, inclusive; it ends %s later, exclusive.'
    ];
    c_quote constant text[] := array[
        'spread_bps_sum', 'Sum of 10000 x (ask - bid) / mid, basis points, over the quotes with '
        'bid > 0 and bid <= ask <= 2 x bid. NULL: none.',
        'spread_bps_count', 'Number of those quotes; the mean spread is sum / count.',
        'last_bid', 'Bid of the last quote by (ts, seq) that has one; NULL: none has.',
        'last_ask', 'Ask of the last quote by (ts, seq) that has one; NULL: none has.',
        'quotes', 'Number of quotes, one-sided, crossed and stub ones included.'
    ];
    c_range constant text[] := array[
        'bars', 'One-minute bars that traded.',
        'trades', 'Number of trades.',
        'parkinson_sum', 'Sum of ln(high/low)^2 / (4 ln 2). Parkinson 1980, J. Business 53. NULL, '
        'as the others: a price was zero or below.',
        'garman_klass_sum', 'Sum of ln(high/low)^2 / 2 - (2 ln 2 - 1) ln(close/open)^2. Garman and '
        'Klass 1980, J. Business 53.',
        'rogers_satchell_sum', 'Sum of ln(high/close) ln(high/open) + ln(low/close) ln(low/open). '
        'Rogers and Satchell 1991, Ann. Appl. Prob. 1.'
    ];
    v_said text[];
    v_relation text;
begin
    foreach v_relation in array array['quote_1m', 'quote_1h', 'range_1h'] loop
        v_said := c_key || case v_relation when 'range_1h' then c_range else c_quote end;
        for v_place in 1..cardinality(v_said) by 2 loop
            execute format(
                'comment on column market.%I.%I is %L', v_relation, v_said[v_place],
                format(
                    v_said[v_place + 1],
                    case v_relation when 'quote_1m' then '1 minute' else '1 hour' end
                )
            );
        end loop;
    end loop;
end
$$;

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
