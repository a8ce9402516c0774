-- depends: functions/feature/made_of functions/feature/refuse_formula functions/market/tick_kinds
create or replace function feature.check_windows(
    p_model regclass, p_bars regclass, p_inputs text[]
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_ticks constant text[] := market.tick_kinds();
    v_stop constant text[] := c_ticks
    || array(select c.relname::text from pg_class as c where c.oid = p_bars);
    v_reader regclass;
    v_read text;
begin
    -- the first step, from the model down, to what is made of ticks by another way than its bars
    with step as materialized (
        select distinct
            n.depth,
            n.relation as reader,
            d.refobjid::regclass as read
        from feature.made_of(array[p_model], v_stop) as n
        inner join pg_rewrite as r on n.relation = r.ev_class
        inner join pg_depend as d
            on
                r.oid = d.objid
                and d.classid = 'pg_rewrite'::regclass
                and d.refclassid = 'pg_class'::regclass
                and d.refobjid not in (n.relation, p_bars)
        where n.relation <> p_bars
    ),

    bar_model as materialized (
        select b.relation from feature.made_of(array[p_bars], c_ticks) as b
    )

    select
        s.reader,
        s.read
    into v_reader, v_read
    from step as s
    inner join pg_class as c on s.read = c.oid
    where
        (
            c.relnamespace = 'market'::regnamespace
            or s.read in (select b.relation from bar_model as b)
        )
        and exists (
            select from feature.made_of(array[s.read], v_stop) as t
            where t.name = any(c_ticks)
        )
    order by s.depth, 1, 2
    limit 1;
    if v_reader is not null then
        perform feature.refuse_formula(format(
            '%s reads %s, which is made of ticks: let it read %s, or a bar''s own value be made '
            'there', v_reader, v_read, p_bars
        ));
    end if;

    select
        n.relation,
        a.attname
    into v_reader, v_read
    from feature.made_of(array[p_model], v_stop) as n
    inner join pg_rewrite as r on n.relation = r.ev_class
    inner join pg_depend as d
        on
            r.oid = d.objid
            and d.classid = 'pg_rewrite'::regclass
            and d.refclassid = 'pg_class'::regclass
            and d.refobjid = p_bars
    inner join pg_attribute as a on d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    where
        n.relation not in (p_model, p_bars)
        and a.attname <> all(array['tenant_id', 'symbol', 'bucket'])
        and a.attname <> all(p_inputs)
    order by n.depth, 1, a.attnum
    limit 1;
    if v_reader is not null then
        perform feature.refuse_formula(
            format(
                '%s reads %s of %s, which no window''s field in market.contract has among its '
                'inputs: name it there, or name the columns that the model reads instead of *',
                v_reader, v_read, p_bars
            ),
            'A publish recomputes windows where one of their inputs has changed. '
        );
    end if;
end
$$;
revoke all on function feature.check_windows(regclass, regclass, text[]) from public;
comment on function feature.check_windows(regclass, regclass, text[]) is
'Refuses a model between p_model and its bar model p_bars that reads ticks by another way, or a '
'column of p_bars that is not of p_inputs. Errors: 0A000 with the model, what it reads and what to '
'do.';
