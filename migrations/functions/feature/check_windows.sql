-- depends: functions/feature/made_of functions/feature/refuse_formula functions/market/tick_kinds
create or replace function feature.check_windows(
    p_set text, p_model regclass, p_bars regclass, p_inputs text[]
) returns void
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    c_ticks constant text[] := market.tick_kinds();
    -- what windows may read: own fields, and other sets
    c_sources constant oid[] := p_bars::oid || array(
        select to_regclass(format('feature.%I', s.model))::oid
        from market.feature_set as s
        where s.feature_set <> p_set and to_regclass(format('feature.%I', s.model)) is not null
    );
    v_stop constant text[] := c_ticks
    || array(select c.relname::text from pg_class as c where c.oid = any(c_sources));
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
                and d.refobjid <> n.relation
                and d.refobjid <> all(c_sources)
        where n.relation <> all(c_sources)
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
        format('%s of %s', a.attname, d.refobjid::regclass)
    into v_reader, v_read
    from feature.made_of(array[p_model], v_stop) as n
    inner join pg_rewrite as r on n.relation = r.ev_class
    inner join pg_depend as d
        on
            r.oid = d.objid
            and d.classid = 'pg_rewrite'::regclass
            and d.refclassid = 'pg_class'::regclass
            and d.refobjid = any(c_sources)
    inner join pg_attribute as a on d.refobjid = a.attrelid and d.refobjsubid = a.attnum
    left join market.feature_set as s
        on d.refobjid <> p_bars and d.refobjid::regclass = to_regclass(format('feature.%I', s.model))
    where
        n.relation <> p_model
        and n.relation <> all(c_sources)
        and a.attname <> all(array['tenant_id', 'symbol', 'bucket'])
        and concat_ws('.', s.feature_set, a.attname) <> all(p_inputs)
    order by n.depth, 1, a.attnum
    limit 1;
    if v_reader is not null then
        perform feature.refuse_formula(
            format(
                '%s reads %s, which no window''s field of %s in market.contract has among its '
                'inputs: name it there, or name the columns that the model reads instead of *',
                v_reader, v_read, p_set
            ),
            'A publish recomputes windows where one of their inputs has changed. '
        );
    end if;
end
$$;
revoke all on function feature.check_windows(text, regclass, regclass, text[]) from public;
comment on function feature.check_windows(text, regclass, regclass, text[]) is
'Refuses a model between p_model and its bar model p_bars that reads ticks by another way, or a '
'column of p_bars, or of the model of another set than p_set, that is not of p_inputs '
'(feature.window_inputs()). Errors: 0A000 with the model, what it reads and what to do.';
